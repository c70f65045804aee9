{{- define "labels" -}}
app: {{ .Release.Name }}
fleet: bench
revision: {{ .Values.revision | quote }}
{{- end }}
