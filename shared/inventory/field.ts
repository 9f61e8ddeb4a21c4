import * as z from 'zod'
import { DNS_LABEL, DNS_SUBDOMAIN } from '../names/index.ts'
import { canonicalAddress, isNetwork } from './address.ts'

// The fields that the objects share. Every `error` says what is allowed and nothing else: `issuesOf` adds the value.
// Source: Kubernetes, "Object Names and IDs", "Labels and Selectors" and k8s.io/apimachinery/pkg/util/validation.

/** Kubernetes reads an explicit null as a field that is not there. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform(value => value ?? undefined)

export const mapping = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape, { error: 'a mapping' })

export const list = <T extends z.ZodType>(schema: T) => z.array(schema, { error: 'a list' })

/** A list that may be absent or null. */
export const optionalList = <T extends z.ZodType>(schema: T) =>
  list(schema)
    .nullish()
    .transform(values => values ?? [])

export const text = z.string({ error: 'a string' })

export const stringMapping = z.record(z.string(), text, { error: 'a mapping of strings' })

export const flag = z.boolean({ error: 'true or false' })

const patterned = (pattern: RegExp, allowed: string) => z.string({ error: allowed }).regex(pattern, { error: allowed })

/** RFC 1123 label: names of namespaces, Services, containers and ports. */
export const dnsLabel = patterned(
  DNS_LABEL,
  'at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends'
)

/** RFC 1123 subdomain: names of most other objects. */
export const dnsSubdomain = patterned(
  DNS_SUBDOMAIN,
  'at most 253 lower-case letters, digits, dashes and dots, with a letter or digit at both ends'
)

/** The same, or an empty string, which means that there is none. */
const orEmpty = (isName: (value: string) => boolean, allowed: string) =>
  z.custom<string>(value => typeof value === 'string' && (value === '' || isName(value)), { error: allowed })
export const dnsLabelOrEmpty = orEmpty(value => isDnsLabel(value), 'a name, as a Service gives it to a port')
export const accountNameOrEmpty = orEmpty(value => isDnsSubdomain(value), 'the name of a service account')

export const isDnsLabel = (value: string): boolean => DNS_LABEL.test(value)
export const isDnsSubdomain = (value: string): boolean => DNS_SUBDOMAIN.test(value)

export const uid = patterned(/^[A-Za-z0-9._-]{1,128}$/, 'at most 128 letters, digits, dashes, dots and underscores')

const PORT = 'a whole number from 1 to 65535'
const isPort = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535
export const portNumber = z.custom<number>(isPort, { error: PORT })

/** RFC 6335 service name, as Kubernetes has it: the names of container ports. */
const PORT_NAME = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/
const isPortName = (value: unknown): boolean => typeof value === 'string' && PORT_NAME.test(value)
export const portName = z.custom<string>(isPortName, {
  error: 'at most 15 lower-case letters, digits and single dashes, with at least one letter'
})

export const portReference = z.custom<number | string>(value => isPort(value) || isPortName(value), {
  error: `${PORT}, or the name of a container port`
})

export const transport = optional(z.enum(['TCP', 'UDP', 'SCTP'], { error: 'TCP, UDP or SCTP' })).transform(
  value => value ?? 'TCP'
)

const isAddress = (value: unknown): boolean => typeof value === 'string' && canonicalAddress(value) !== undefined
/** Addresses are read into their canonical form, so that equal addresses are equal texts. */
const canonical = (value: string): string => canonicalAddress(value) ?? value
export const ipAddress = z.custom<string>(isAddress, { error: 'an IP address' }).transform(canonical)

/** An address that may be given as an empty string, which means that there is none. */
export const ipAddressOrEmpty = z
  .custom<string>(value => value === '' || isAddress(value), { error: 'an IP address' })
  .transform(canonical)

/** `None` makes a Service headless. */
export const HEADLESS = 'None'

export const clusterAddress = z
  .custom<string>(value => value === '' || value === HEADLESS || isAddress(value), {
    error: `an IP address or ${HEADLESS}`
  })
  .transform(canonical)

export const network = z.custom<string>(value => typeof value === 'string' && isNetwork(value), {
  error: 'a network such as 10.244.1.0/24'
})

const isTime = (value: unknown): boolean =>
  value instanceof Date ||
  (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T/.test(value) && !Number.isNaN(Date.parse(value)))

/** Milliseconds since the epoch. Manifests have times as RFC 3339 strings, some clients deliver them as Dates. */
export const time = z
  .custom<string | Date>(isTime, { error: 'a time as in RFC 3339' })
  .transform(value => new Date(value).getTime())
