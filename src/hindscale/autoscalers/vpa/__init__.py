"""The Vertical Pod Autoscaler: recommends requests per container from what was used, and updates pods to them.

Usage samples (`samples`) fill decaying histograms (`histogram`, `buckets`, `checkpoint`), these give a
recommendation (`recommendation`) within the object's policy (`policy`, `manifest`, `capping`), and pods that are
far from it are changed (`priority`, `updater`). It sets the size of replicas, never their number.
"""
