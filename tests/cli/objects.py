"""Manifests that the tests of the verbs apply."""

from __future__ import annotations

CONFIG = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  color: {color}
"""

POD = """apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  containers:
  - name: main
    image: demo
"""

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: demo:1
        ports: [{name: http, containerPort: 8080}]
        env:
        - {name: MODE, value: fast}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}
        resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {memory: 64Mi}}
        readinessProbe: {httpGet: {path: /healthy, port: http}, periodSeconds: 1}
        volumeMounts: [{name: scratch, mountPath: /scratch}]
      volumes:
      - {name: scratch, emptyDir: {}}
"""

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

SECRET = """apiVersion: v1
kind: Secret
metadata:
  name: keys
stringData:
  password: open-sesame
"""


def config(name: str, color: str = "red") -> str:
    return CONFIG.format(name=name, color=color)


def pod(name: str) -> str:
    return POD.format(name=name)
