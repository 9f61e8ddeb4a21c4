// Names as Kubernetes allows them: the patterns that an API server would apply.
//
// In: nothing. Out: patterns, each of which is about a whole text and bounds its length.
// Never: says where a name is wrong, or what it is the name of: that is told by whoever asked for one.
// Source: Kubernetes, "Object Names and IDs", "Labels and Selectors", and k8s.io/apimachinery/pkg/util/validation.

export { DNS_LABEL, DNS_NAME, DNS_SUBDOMAIN, LABEL_KEY, LABEL_VALUE } from './patterns.ts'
