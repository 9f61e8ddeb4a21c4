const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?'
// Kubernetes bounds a subdomain as a whole, not its parts: they may be longer than those of a name in the DNS.
const SUBDOMAIN = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'
const QUALIFIED = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?'

/** RFC 1123 label: names of namespaces, Services and containers. */
export const DNS_LABEL = new RegExp(`^${LABEL}$`)

/** RFC 1123 subdomain, at most 253 characters: names of most other objects, nodes and service accounts among them. */
export const DNS_SUBDOMAIN = new RegExp(`^(?=.{1,253}$)${SUBDOMAIN}$`)

/** A name in the DNS, in lower case and without the final dot (RFC 1035, section 2.3.4): labels of 63, 253 in all. */
export const DNS_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`)

/** Key of a label or annotation: perhaps a subdomain and a slash, then at most 63 characters. */
export const LABEL_KEY = new RegExp(`^((?=[^/]{1,253}/)${SUBDOMAIN}/)?${QUALIFIED}$`)

/** Value of a label: at most 63 characters, none included. */
export const LABEL_VALUE = new RegExp(`^(${QUALIFIED})?$`)
