{{- /* Defaults of the API server are written out: the admission policy of the operator compares
what it writes with this, and what the API server would add would be a difference. */ -}}
{{- define "vip-operator.daemonset" -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: vip-speaker
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "vip-operator.selector" "vip-speaker" | nindent 4 }}
    app.kubernetes.io/part-of: vip-operator
    app.kubernetes.io/instance: {{ .Release.Name }}
spec:
  selector:
    matchLabels: {{- include "vip-operator.selector" "vip-speaker" | nindent 6 }}
  revisionHistoryLimit: 10
  updateStrategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 0, maxUnavailable: {{ .Values.speaker.maxUnavailable }}}
  template:
    metadata:
      labels:
        {{- include "vip-operator.selector" "vip-speaker" | nindent 8 }}
        app.kubernetes.io/part-of: vip-operator
        app.kubernetes.io/instance: {{ .Release.Name }}
    spec:
      serviceAccountName: vip-speaker
      serviceAccount: vip-speaker
      automountServiceAccountToken: false
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      restartPolicy: Always
      schedulerName: default-scheduler
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- with .Values.speaker.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      terminationGracePeriodSeconds: 10
      securityContext:
        fsGroup: 65532
      containers:
      - name: engine
        image: {{ include "vip-operator.image" . }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        terminationMessagePath: /dev/termination-log
        terminationMessagePolicy: File
        command: {{- include "vip-operator.speaker-command" (list . "supervisor") | nindent 8 }}
        - --state-directory={{ .Values.speaker.stateDirectory }}
        - --cache-directory={{ .Values.speaker.cacheDirectory }}
        env: {{- include "vip-operator.speaker-environment" . | nindent 8 }}
        resources: {{- toYaml .Values.speaker.engine.resources | nindent 10 }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          runAsUser: 0
          runAsGroup: 65532
          capabilities: {drop: [ALL], add: [NET_ADMIN, NET_RAW]}
          seccompProfile: {type: RuntimeDefault}
        volumeMounts:
        - {name: socket, mountPath: /socket}
        - {name: state, mountPath: {{ .Values.speaker.stateDirectory }}}
        - {name: cache, mountPath: {{ .Values.speaker.cacheDirectory }}}
      - name: agent
        image: {{ include "vip-operator.image" . }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        terminationMessagePath: /dev/termination-log
        terminationMessagePolicy: File
        command: {{- include "vip-operator.speaker-command" (list . "agent") | nindent 8 }}
        - --cluster
        - --http=$(HOST_IP):{{ .Values.speaker.httpPort }}
        - --probe-socket=/socket/agent.sock
        env: {{- include "vip-operator.speaker-environment" . | nindent 8 }}
        # Not by HTTP: the port is the node's, and who answers there may be somebody else.
        livenessProbe:
          exec: {command: [vip-speaker, probe, --socket=/socket/agent.sock]}
          initialDelaySeconds: 10
          periodSeconds: 30
          timeoutSeconds: 10
          successThreshold: 1
          failureThreshold: 2
        readinessProbe:
          httpGet: {path: /readyz, port: {{ .Values.speaker.httpPort }}, scheme: HTTP}
          periodSeconds: 2
          timeoutSeconds: 1
          successThreshold: 1
          failureThreshold: 3
        resources: {{- toYaml .Values.speaker.agent.resources | nindent 10 }}
        securityContext: {{- include "vip-operator.restricted" . | nindent 10 }}
        volumeMounts:
        - {name: socket, mountPath: /socket}
        - {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
      {{- with .Values.speaker.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.speaker.tolerations }}
      tolerations:
      {{- range . }}
      {{- $toleration := . }}
      {{- range $name, $value := . }}
      {{- if eq (toString $value) "" }}
      {{- $toleration = omit $toleration $name }}   {{- /* as the API server does */}}
      {{- end }}
      {{- end }}
      - {{- toYaml $toleration | nindent 8 }}
      {{- end }}
      {{- end }}
      volumes:
      - name: socket
        emptyDir: {medium: Memory, sizeLimit: 1Mi}
      - name: state
        hostPath: {path: {{ .Values.speaker.stateDirectory }}, type: DirectoryOrCreate}
      - name: cache
        hostPath: {path: {{ .Values.speaker.cacheDirectory }}, type: DirectoryOrCreate}
      - name: token
        projected:
          defaultMode: 0440
          sources:
          - serviceAccountToken: {path: token, expirationSeconds: 3607}
          - configMap:
              name: kube-root-ca.crt
              items: [{key: ca.crt, path: ca.crt}]
          - downwardAPI:
              items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]
{{- end }}

{{- define "vip-operator.speaker-command" -}}
{{- $root := index . 0 -}}
- vip-speaker
- {{ index . 1 }}
- --node=$(NODE_NAME)
- --socket=/socket/engine.sock
- --log-level={{ $root.Values.speaker.logLevel }}
{{- end }}

{{- define "vip-operator.speaker-environment" -}}
- name: NODE_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}
- name: HOST_IP
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: status.hostIP}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}
{{- end }}
