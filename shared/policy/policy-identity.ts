import { z } from 'zod'
import { DNS_LABEL, DNS_SUBDOMAIN, LABEL_KEY, LABEL_VALUE } from '../names/index.ts'
import { expected, map, openObject, strictObject, text } from './schema.ts'

/** What every policy has: its name, its age, and the workloads that it is about. */
export interface PolicyIdentity {
  readonly apiVersion: string
  readonly namespace: string
  readonly name: string
  /** Given by the API server; absent for a policy from a file. */
  readonly uid?: string
  /** Counts the changes of the spec; absent for a policy from a file. */
  readonly generation?: number
  /** Milliseconds since the epoch; among policies of equal rank the oldest holds. Absent for a policy from a file. */
  readonly creationTimestamp?: number
  /** Labels that a pod must have, all of them; absent: every workload of the namespace. Never empty. */
  readonly selector?: Readonly<Record<string, string>>
}

export const metadata = openObject({
  name: text(DNS_SUBDOMAIN, 'a name of lower-case letters, digits, dashes and dots'),
  namespace: text(DNS_LABEL, 'the name of a namespace').optional(),
  uid: z.string({ error: expected('text') }).optional(),
  generation: z.int({ error: expected('a whole number') }).optional(),
  creationTimestamp: z.iso.datetime({ offset: true, error: expected('a time as in RFC 3339') }).nullish()
})

/** Of fields by which Istio attaches policies to something else than workloads. */
export const NO_GATEWAYS =
  'not supported: it names gateways and waypoints, which Countersign does not have; select workloads by selector'

export const selector = strictObject(
  {
    matchLabels: map(
      'a map of labels',
      LABEL_KEY,
      'the key of a label',
      text(LABEL_VALUE, 'the value of a label')
    ).optional()
  },
  {
    matchExpressions: 'not supported, by Istio neither: select workloads by matchLabels'
  }
)

/** An absent namespace is `default`, as for kubectl; a selector without labels is none. */
export function identityOf<Version extends string>(
  apiVersion: Version,
  { name, namespace = 'default', uid, generation, creationTimestamp }: z.infer<typeof metadata>,
  selected: z.infer<typeof selector> | undefined
): PolicyIdentity & { readonly apiVersion: Version } {
  const labels = Object.entries(selected?.matchLabels ?? {})
  return {
    apiVersion,
    namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp ? { creationTimestamp: Date.parse(creationTimestamp) } : {}),
    ...(labels.length > 0 ? { selector: Object.freeze(Object.fromEntries(labels)) } : {})
  }
}
