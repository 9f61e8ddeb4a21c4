import { z } from 'zod'
import { PROBE_KINDS, type Probe, type ProbeKind } from './probe.ts'

// Everything here ends in the configuration of a proxy, which refuses all of it when it refuses one value: so nothing
// is let through that Envoy would not take (validation rules of route_components.proto and base.proto).
const LONGEST = 4_096
const MOST_HEADERS = 100

const text = (pattern: RegExp, expected: string) =>
  z
    .string(`expected ${expected}`)
    .max(LONGEST, `expected at most ${LONGEST} characters`)
    .regex(pattern, `expected ${expected}`)

// Those that frame a message are the sender's own, and Host has a field of its own.
const FRAMING = /^(host|content-length|transfer-encoding|trailer)$/i
const PORT = 'expected a port from 1 to 65535'

const port = z.int(PORT).min(1, PORT).max(65_535, PORT)

const http = z.strictObject({
  protocol: z.literal('http'),
  port,
  path: text(/^\/[!"$-~]*$/, 'a path that starts with a slash, percent-encoded, without a fragment'),
  scheme: z.enum(['HTTP', 'HTTPS'], 'expected HTTP or HTTPS').default('HTTP'),
  host: text(/^[!-~]+$/, 'a host, printable and without spaces').optional(),
  headers: z
    .array(
      z.tuple([
        // Kubernetes, IsHTTPHeaderName in apimachinery/pkg/util/validation.
        text(/^[-A-Za-z0-9]+$/, 'a name of letters, digits and dashes').refine(name => !FRAMING.test(name), {
          error: 'expected any header but host, content-length, transfer-encoding and trailer'
        }),
        text(/^(?:\t|[^\p{Cc}\p{Cs}])*$/u, 'a value without control characters')
      ])
    )
    .max(MOST_HEADERS, `expected at most ${MOST_HEADERS} headers`)
    .default([])
})
const tcp = z.strictObject({ protocol: z.literal('tcp'), port })
const grpc = z.strictObject({
  protocol: z.literal('grpc'),
  port,
  // A string of protobuf is UTF-8, which half a surrogate pair has none of.
  service: text(/^\P{Cs}*$/u, 'the name of a service, or nothing').default('')
})

// Most are HTTP: that is what goes without saying.
const withProtocol = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, 'protocol')
    ? { ...value, protocol: 'http' }
    : value

const probe = z.preprocess(
  withProtocol,
  z.discriminatedUnion('protocol', [http, tcp, grpc], 'expected a probe of protocol http, tcp or grpc')
)
const hook = z.preprocess(withProtocol, z.discriminatedUnion('protocol', [http], 'expected a hook of protocol http'))

const attribute = z.record(
  z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected names of containers'),
  z.strictObject({
    startup: probe.optional(),
    readiness: probe.optional(),
    liveness: probe.optional(),
    postStart: hook.optional(),
    preStop: hook.optional()
  } satisfies Record<ProbeKind, unknown>),
  'expected an object of containers'
)

/** What is wrong with a probe, each as `field: expected …`, never with a value. */
export function probeProblems({ container, kind, ...fields }: Probe): string[] {
  const { error } = attribute.safeParse({ [container]: { [kind]: fields } })
  return sentences(error, 2)
}

/** Compact JSON: `{"<container>":{"<kind>":{"port":…,"path":…}}}`, defaults left out. */
export function writeProbes(probes: readonly Probe[]): string {
  const containers = new Map<string, Record<string, unknown>>()
  for (const probe of probes) {
    const kinds = containers.get(probe.container) ?? {}
    kinds[probe.kind] = { port: probe.port, ...compact(probe) }
    containers.set(probe.container, kinds)
  }
  return JSON.stringify(Object.fromEntries(containers))
}

function compact(probe: Probe): object {
  switch (probe.protocol) {
    case 'http': {
      const { path, scheme, host, headers } = probe
      return {
        path,
        ...(scheme === 'HTTP' ? {} : { scheme }),
        ...(host === undefined ? {} : { host }),
        ...(headers.length === 0 ? {} : { headers })
      }
    }
    case 'tcp':
      return { protocol: 'tcp' }
    case 'grpc':
      return { protocol: 'grpc', ...(probe.service === '' ? {} : { service: probe.service }) }
  }
}

/** The probes of an attribute, or what is wrong with it; whoever wrote it may have been a tenant. */
export function readProbes(value: string): { readonly probes: readonly Probe[] } | { readonly problem: string } {
  let json: unknown
  try {
    json = JSON.parse(value)
  } catch {
    return { problem: 'expected JSON' }
  }
  const { data, error } = attribute.safeParse(json)
  if (data === undefined) return { problem: sentences(error, 0).join(', ') }
  const probes = Object.entries(data).flatMap(([container, kinds]) =>
    PROBE_KINDS.flatMap(kind => {
      const fields = kinds[kind]
      return fields === undefined ? [] : [Object.freeze({ container, kind, ...fields })]
    })
  )
  return { probes: Object.freeze(probes) }
}

function sentences(error: z.ZodError | undefined, skip: number): string[] {
  return (error?.issues ?? []).map(issue => {
    const path = issue.path.slice(skip).join('.')
    const message = issue.code === 'unrecognized_keys' ? 'expected no other fields' : plain(issue)
    return path === '' ? message : `${path}: ${message}`
  })
}

// Zod's own words for what is no object at all.
const plain = ({ code, message }: z.core.$ZodIssue): string =>
  code === 'invalid_key' ? 'expected names of containers' : message.slice(0, 1).toLowerCase() + message.slice(1)
