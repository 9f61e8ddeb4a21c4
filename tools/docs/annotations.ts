import { ACCOUNT_ANNOTATIONS } from '../../shared/certificate-secrets/index.ts'
import { EXEMPT_PORTS_ALLOWED, EXEMPT_PORTS_ANNOTATION } from '../../shared/policy/index.ts'
import { ANNOTATIONS } from '../../webhook/injection/index.ts'
import { ANNOTATIONS as OF_MOUNTING } from '../../webhook/mounting/index.ts'

/** One label or annotation: where it stands, what it says, what may stand in it, what holds without it. */
type Row = readonly [name: string, on: string, meaning: string, allowed: string, standard: string]

const LABELS: readonly Row[] = [
  [
    'countersign.dev/inject',
    'Namespace, Pod',
    'whether pods get a proxy and a certificate; that of the pod comes before that of its namespace, and a floor that demands injection before both (floor.md)',
    'enabled or disabled',
    'no proxy and no certificate'
  ],
  [
    'countersign.dev/secrets',
    'Namespace',
    'whether each of its service accounts gets its certificate in a Secret, see certificate-secrets.md; the chart must allow it',
    'enabled',
    'no Secrets'
  ]
]

const OF_SERVICES: readonly Row[] = [
  [
    'countersign.dev/service-accounts',
    'Service',
    'which service accounts may serve it, whatever pods are behind it; callers refuse every other',
    '`<account>` or `<namespace>/<account>`, separated by commas; empty for nobody',
    'the accounts of the pods that its selector chooses'
  ]
]

const OF_POLICIES: readonly Row[] = [
  [
    EXEMPT_PORTS_ANNOTATION,
    'RequestAuthentication',
    'ports of the selected pods on which the policy is not enforced, see end-users.md; an EndUserAuthentication has the field `exemptPorts`',
    EXEMPT_PORTS_ALLOWED,
    'none'
  ]
]

/** docs/annotations.md, made from the tables by which annotations are read. */
export function annotationsPage(): string {
  const ofPods = [...ANNOTATIONS, ...OF_MOUNTING].map(([name, { meaning, allowed, standard }]): Row => {
    return [name, 'Pod', meaning, allowed, standard]
  })
  const ofAccounts = [...ACCOUNT_ANNOTATIONS].map(([name, { meaning, allowed, standard }]): Row => {
    return [name, 'ServiceAccount', meaning, allowed, standard]
  })
  return `# Labels and annotations

What can be said of a pod, a namespace, a Service or a service account to Countersign. On pods and policies a value that is not allowed is refused, and the message says what is; on namespaces and Services it has no effect, and the log of the authority says so; on a service account it changes nothing, and an event and a condition say so. Made by \`npm run docs\`.

## Labels

${table(LABELS)}

## Annotations

${table([...ofPods, ...OF_SERVICES, ...OF_POLICIES, ...ofAccounts])}

## Probes

The kubelet has no certificate, so a port that accepts mutual TLS alone would refuse its probes, and a probe that only connects would find the proxy and always succeed. Every startup, readiness and liveness probe of kind \`httpGet\`, \`tcpSocket\` or \`grpc\`, and every postStart and preStop hook of kind \`httpGet\`, is therefore led to port 15020, where the proxy asks the application at that moment and says what it found.

- \`httpGet\`: with the path, the headers, the Host and the scheme that the probe or hook names. The answer is passed on. Of a hook any answer is a success, as without the proxy, and only none is a failure; the event then says \`failed to parse Location header "countersign://no answer from …"\`. Without the proxy, a hook over HTTPS was sent again in plaintext to a port without TLS; now it fails there.
- \`tcpSocket\`: by a connection, which is closed at once.
- \`grpc\`: by a call of \`grpc.health.v1.Health/Check\`; only \`SERVING\` is a success.
- The application is asked at the address of the pod: a \`host\` in an \`httpGet\` probe is only what it reads as Host. A \`tcpSocket\` probe or a hook that names a host stays as it is, and goes there from the node.
- A redirect counts as success and is not followed.
- Port 15020 accepts plaintext from anybody, for exactly the probes and hooks that the pod names.
- Probes and hooks of kind \`exec\`, and hooks of kind \`sleep\`, need no connection and stay as they are. So do a \`grpc\` probe of mode TLS and an \`httpGet\` of protocol HTTP2 (both alpha in Kubernetes 1.37), which a port that accepts mutual TLS alone refuses.
`
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(([name, ...cells]) => `| \`${name}\` | ${cells.join(' | ')} |`)
  return ['| name | on | what it says | allowed | without it |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}
