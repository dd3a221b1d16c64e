{{- /* A value as a literal of CEL. Each element is `dyn`: those of a literal must be of one type. */ -}}
{{- define "vip-operator.cel" -}}
{{- if kindIs "map" . -}}
{
{{- $comma := "" }}
{{- range $key, $value := . }}
{{- $comma }}{{ toJson $key }}: dyn({{ include "vip-operator.cel" $value }})
{{- $comma = ", " }}
{{- end -}}
}
{{- else if kindIs "slice" . -}}
[
{{- range $index, $value := . }}
{{- if $index }}, {{ end }}dyn({{ include "vip-operator.cel" $value }})
{{- end -}}
]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{- /* In CEL, where two maps differ: the path of each such field. Fields in `except` are left out. */ -}}
{{- define "vip-operator.differing" -}}
({{ .found }}.filter(key, !(key in {{ .except }}) && !(key in {{ .wanted }} && {{ .found }}[key] == {{ .wanted }}[key]))
  + {{ .wanted }}.filter(key, !(key in {{ .except }}) && !(key in {{ .found }}))
).map(key, '{{ .path }}' + string(key))
{{- end }}

{{- /* Likewise for the resources of a container. Quantities are compared by what they mean: the
API server writes them in its own way. */ -}}
{{- define "vip-operator.differing-resources" -}}
({{ .found }}.filter(part, !(part in ['requests', 'limits']))
  + ['requests', 'limits'].filter(part,
    {{ .found }}[?part].orValue({}).exists(name, !(name in {{ .wanted }}[?part].orValue({}))
      || quantity(string({{ .found }}[part][name])).compareTo(quantity(string({{ .wanted }}[part][name]))) != 0)
    || {{ .wanted }}[?part].orValue({}).exists(name, !(name in {{ .found }}[?part].orValue({}))))
).map(part, '{{ .path }}' + string(part))
{{- end }}
