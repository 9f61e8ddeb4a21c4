import { dnsLabel, dnsSubdomain, mapping, optional, time, uid } from './field.ts'
import { annotations, labels } from './label.ts'

const common = {
  uid: optional(uid),
  labels,
  annotations,
  creationTimestamp: optional(time),
  deletionTimestamp: optional(time)
}

/** Where an object is that names no namespace, as with kubectl. */
const DEFAULT_NAMESPACE = 'default'

const namespace = optional(dnsLabel).transform(value => value ?? DEFAULT_NAMESPACE)

/** Metadata of an object of a namespace whose name is a DNS subdomain, as most are. */
export const metadata = mapping({ ...common, name: dnsSubdomain, namespace })

/** Metadata of an object of a namespace whose name is a DNS label: a Service. */
export const labelNamedMetadata = mapping({ ...common, name: dnsLabel, namespace })

/** Metadata of a Namespace. */
export const namespaceMetadata = mapping({ ...common, name: dnsLabel })

/** Metadata of an object that is in no namespace and whose name is a DNS subdomain: a Node. */
export const clusterMetadata = mapping({ ...common, name: dnsSubdomain })
