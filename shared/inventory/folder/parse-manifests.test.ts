import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { parseManifests } from './parse-manifests.ts'
import { formatProblem } from './problem.ts'

const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: orders
  namespace: shop
spec:
  selector: {app: orders}
  ports:
    - name: http
      port: 80
`

const POD = `apiVersion: v1
kind: Pod
metadata: {name: orders-1, namespace: shop}
spec:
  containers:
    - name: app
`

interface Refusal {
  readonly title: string
  readonly text: string
  /** Every problem, as it is shown. */
  readonly problems: readonly string[]
}

const refusals: readonly Refusal[] = [
  {
    title: 'a service account that asks for a key nobody makes is told what there is',
    text: 'apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: orders\n  namespace: shop\n  annotations:\n    countersign.dev/certificate-key: rsa\n',
    problems: [
      'f.yaml:7:38: metadata.annotations["countersign.dev/certificate-key"]: expected one of ecdsa-p256, rsa-2048, got "rsa"'
    ]
  },
  {
    title: 'a label for Secrets that is neither there nor enabled is reported',
    text: 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    countersign.dev/secrets: "true"\n',
    problems: ['f.yaml:6:30: metadata.labels["countersign.dev/secrets"]: expected enabled, got "true"']
  },
  {
    title: 'a flow sequence that is not closed is reported where it goes wrong',
    text: 'apiVersion: [v1,\nkind: Pod\n',
    problems: ['f.yaml:2:1: flow sequence in block collection must be sufficiently indented and end with a ]']
  },
  {
    title: 'a tab for indentation is reported',
    text: 'kind:\n\ta: 1\n',
    problems: ['f.yaml:2:1: tabs are not allowed as indentation']
  },
  {
    title: 'a key that is there twice is reported at its second place',
    text: SERVICE.replace('  namespace: shop\n', '  namespace: shop\n  name: other\n'),
    problems: ['f.yaml:6:3: expected every key once in a mapping, got this one again']
  },
  {
    title: 'a key that is there twice in JSON is reported as well',
    text: '{"apiVersion": "v1",\n "kind": "Pod",\n "kind": "Pod"}',
    problems: ['f.yaml:3:2: expected every key once in a mapping, got this one again']
  },
  {
    title: 'an alias of nothing is reported',
    text: 'apiVersion: v1\nkind: *nothing\n',
    problems: ['f.yaml:1:1: cannot be read: unresolved alias (the anchor must be set before the alias): nothing']
  },
  {
    title: 'aliases that multiply without bound are reported and not expanded',
    text: [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      'b: &b [*a,*a,*a,*a,*a,*a,*a]',
      'c: &c [*b,*b,*b,*b,*b,*b,*b]',
      'd: [*c,*c,*c,*c,*c]'
    ].join('\n'),
    problems: ['f.yaml:1:1: cannot be read: excessive alias count indicates a resource exhaustion attack']
  },
  { title: 'a scalar is no object', text: 'hello\n', problems: [`f.yaml:1:1: ${notAnObject()}`] },
  { title: 'a list is no object', text: '- a\n- b\n', problems: [`f.yaml:1:1: ${notAnObject()}`] },
  {
    title: 'an object without a kind is reported',
    text: 'apiVersion: v1\nmetadata: {name: a}\n',
    problems: ['f.yaml:1:1: kind: required: expected a string']
  },
  {
    title: 'an apiVersion that is a number is reported',
    text: 'apiVersion: 1\nkind: Pod\n',
    problems: ['f.yaml:1:13: apiVersion: expected a string, got 1']
  },
  {
    title: 'a missing name is reported at the metadata',
    text: SERVICE.replace('  name: orders\n', ''),
    problems: [
      'f.yaml:4:3: metadata.name: required: expected at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends'
    ]
  },
  {
    title: 'a name with upper case is reported',
    text: SERVICE.replace('name: orders\n', 'name: Orders\n'),
    problems: [
      'f.yaml:4:9: metadata.name: expected at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends, got "Orders"'
    ]
  },
  {
    title: 'a port out of range is reported at its line',
    text: SERVICE.replace('port: 80', 'port: 65536'),
    problems: ['f.yaml:10:13: spec.ports[0].port: expected a whole number from 1 to 65535, got 65536']
  },
  {
    title: 'a port that is a string is reported',
    text: SERVICE.replace('port: 80', 'port: "80"'),
    problems: ['f.yaml:10:13: spec.ports[0].port: expected a whole number from 1 to 65535, got "80"']
  },
  {
    title: 'a port that is not whole is reported',
    text: SERVICE.replace('port: 80', 'port: 80.5'),
    problems: ['f.yaml:10:13: spec.ports[0].port: expected a whole number from 1 to 65535, got 80.5']
  },
  {
    title: 'a target port that is neither a number nor a name is reported',
    text: SERVICE.replace('port: 80', 'port: 80\n      targetPort: -1'),
    problems: [
      'f.yaml:11:19: spec.ports[0].targetPort: expected a whole number from 1 to 65535, or the name of a container port, got -1'
    ]
  },
  {
    title: 'a label that is a number is reported at its value',
    text: POD.replace('metadata: {', 'metadata: {labels: {version: 1}, '),
    problems: [
      'f.yaml:3:30: metadata.labels.version: expected a string of at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends, got 1'
    ]
  },
  {
    title: 'a label value with a blank is reported under its key',
    text: POD.replace('metadata: {', 'metadata: {labels: {app.kubernetes.io/name: "a b"}, '),
    problems: [
      'f.yaml:3:45: metadata.labels["app.kubernetes.io/name"]: expected a string of at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends, got "a b"'
    ]
  },
  {
    title: 'a label key that is not allowed is reported',
    text: POD.replace('metadata: {', 'metadata: {labels: {"-a": b}, '),
    problems: [
      'f.yaml:3:27: metadata.labels["-a"]: not allowed as a key: expected an optional DNS prefix and a slash, then at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends'
    ]
  },
  {
    title: 'the label that switches injection has two values',
    text: POD.replace('metadata: {', 'metadata: {labels: {countersign.dev/inject: "true"}, '),
    problems: ['f.yaml:3:45: metadata.labels["countersign.dev/inject"]: expected enabled or disabled, got "true"']
  },
  {
    title: 'an application address that is no address is reported',
    text: POD.replace('metadata: {', 'metadata: {annotations: {countersign.dev/application-address: localhost}, '),
    problems: [
      'f.yaml:3:63: metadata.annotations["countersign.dev/application-address"]: expected an IP address, got "localhost"'
    ]
  },
  {
    title: 'a pod without containers is reported',
    text: POD.replace('containers:\n    - name: app', 'containers: []'),
    problems: ['f.yaml:5:15: spec.containers: expected at least one container, got an empty list']
  },
  {
    title: 'a pod address that is none is reported',
    text: `${POD}status: {podIPs: [{ip: 10.0.0.256}]}\n`,
    problems: ['f.yaml:7:24: status.podIPs[0].ip: expected an IP address, got "10.0.0.256"']
  },
  {
    title: 'several mistakes in one object are all reported',
    text: SERVICE.replace('port: 80', 'port: 0\n      protocol: HTTP'),
    problems: [
      'f.yaml:10:13: spec.ports[0].port: expected a whole number from 1 to 65535, got 0',
      'f.yaml:11:17: spec.ports[0].protocol: expected TCP, UDP or SCTP, got "HTTP"'
    ]
  },
  {
    title: 'a Service with two ports and no names is reported',
    text: `${SERVICE.replace('- name: http\n      port', '- port')}    - port: 81\n`,
    problems: [
      'f.yaml:9:7: spec.ports[0].name: required: expected a name, because there are several ports',
      'f.yaml:10:7: spec.ports[1].name: required: expected a name, because there are several ports'
    ]
  },
  {
    title: 'a Service with one port number twice is reported',
    text: `${SERVICE}    - name: other\n      port: 80\n`,
    problems: ['f.yaml:12:13: spec.ports[1].port: expected a port that is not there twice, got 80/TCP']
  },
  {
    title: 'a Service without ports is reported',
    text: SERVICE.slice(0, SERVICE.indexOf('  ports')),
    problems: ['f.yaml:7:3: spec.ports: required: expected at least one port']
  },
  {
    title: 'a virtual address that is none is reported',
    text: SERVICE.replace('  ports', '  clusterIP: none\n  ports'),
    problems: ['f.yaml:8:14: spec.clusterIP: expected an IP address or None, got "none"']
  },
  {
    title: 'a pinned account that cannot be one is reported',
    text: SERVICE.replace(
      '  namespace',
      '  annotations: {countersign.dev/service-accounts: "orders, Guest"}\n  namespace'
    ),
    problems: [
      'f.yaml:5:51: metadata.annotations["countersign.dev/service-accounts"]: expected the name of a service account, or <namespace>/<account>, got "Guest"'
    ]
  },
  {
    title: 'a Deployment that does not select its own pods is reported',
    text: `apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector:
    matchLabels: {app: orders}
  template:
    metadata: {labels: {app: order}}
    spec: {containers: [{name: app}]}
`,
    problems: [
      'f.yaml:6:24: spec.selector.matchLabels.app: expected a label that spec.template.metadata.labels has with the same value, got "orders"'
    ]
  },
  {
    title: 'a port out of range in the template of a Deployment is reported',
    text: `apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {}
  template:
    spec:
      containers:
        - name: app
          ports: [{containerPort: 70000}]
`,
    problems: [
      'f.yaml:10:35: spec.template.spec.containers[0].ports[0].containerPort: expected a whole number from 1 to 65535, got 70000'
    ]
  },
  {
    title: 'an EndpointSlice that names no Service is reported',
    text: 'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\n',
    problems: [
      'f.yaml:3:11: metadata.labels["kubernetes.io/service-name"]: required: expected the name of the Service that the endpoints belong to'
    ]
  },
  {
    title: 'an IPv6 address in an IPv4 EndpointSlice is reported',
    text: `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
endpoints:
  - addresses: ["fd00::1"]
`,
    problems: ['f.yaml:6:17: endpoints[0].addresses[0]: expected an IPv4 address, got "fd00::1"']
  },
  {
    title: 'an unknown kind is a warning',
    text: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {password: hunter2}\n',
    problems: ['f.yaml:2:7: kind: "ConfigMap" of "v1" is not read by Countersign: it has no effect here']
  },
  {
    title: 'a Secret that is somebody else’s is a warning',
    text: 'apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: a}\ndata: {tls.key: hunter2}\n',
    problems: ['f.yaml:3:7: type: expected Opaque, got "kubernetes.io/tls": it has no effect here']
  },
  {
    title: 'an entry of a Secret that cannot be read is a warning, which does not quote it',
    text: 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  a: hunter2\n  b: [hunter2]\nstringData:\n  c: 17\n  d: {e: hunter2}\n',
    problems: [
      'f.yaml:5:6: data.a: expected text in base64: it is left out',
      'f.yaml:6:6: data.b: expected text in base64: it is left out',
      'f.yaml:8:6: stringData.c: expected text: it is left out',
      'f.yaml:9:6: stringData.d: expected text: it is left out'
    ]
  },
  {
    title: 'entries of a Secret that are no mapping are a warning, which does not quote them',
    text: 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: hunter2\nstringData: [hunter2]\n',
    problems: [
      'f.yaml:4:7: data: expected a mapping of text: it is left out',
      'f.yaml:5:13: stringData: expected a mapping of text: it is left out'
    ]
  },
  {
    title: 'a Secret without a name is reported',
    text: 'apiVersion: v1\nkind: Secret\nmetadata: {}\nstringData: {a: hunter2}\n',
    problems: [
      'f.yaml:3:11: metadata.name: required: expected at most 253 lower-case letters, digits, dashes and dots, with a letter or digit at both ends'
    ]
  },
  {
    title: 'a known kind of another API group is an unknown kind',
    text: 'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n',
    problems: [
      'f.yaml:2:7: kind: "Service" of "serving.knative.dev/v1" is not read by Countersign: it has no effect here'
    ]
  },
  {
    title: 'a kind that every object of JavaScript has is an unknown kind',
    text: 'apiVersion: v1\nkind: constructor\n',
    problems: ['f.yaml:2:7: kind: "constructor" of "v1" is not read by Countersign: it has no effect here']
  },
  {
    title: 'a mistake in an item of a List is reported with its index',
    text: 'apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n  - {apiVersion: v1, kind: Namespace, metadata: {name: A}}\n',
    problems: [
      'f.yaml:5:56: items[1].metadata.name: expected at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends, got "A"'
    ]
  },
  {
    title: 'a List in a List is reported, even one that contains itself',
    text: '&list\napiVersion: v1\nkind: List\nitems: [*list]\n',
    problems: ['f.yaml:3:7: items[0].kind: expected an object, got a List in a List']
  },
  {
    title: 'a List without items is reported',
    text: 'apiVersion: v1\nkind: List\n',
    problems: ['f.yaml:1:1: items: required: expected a list']
  },
  {
    title: 'a tag that means nothing here is a warning',
    text: `${POD}    # a comment\n  x: !vault abc\n`,
    problems: ['f.yaml:8:6: unresolved tag: !vault']
  }
]

function notAnObject(): string {
  return 'expected a Kubernetes object: a mapping with apiVersion, kind and metadata'
}

for (const { title, text, problems } of refusals)
  test(title, () => {
    assert.deepEqual(parseManifests('f.yaml', text).problems.map(formatProblem), problems)
  })

test('a mistake in a policy is reported in the words of the room of policies, at its place', () => {
  const text = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec:
  mtls:
    mode: STRICTT
`
  const [problem, ...others] = parseManifests('f.yaml', text).problems.map(formatProblem)
  assert.match(problem ?? '', /^f\.yaml:6:11: spec\.mtls\.mode: .*STRICTT/)
  assert.deepEqual(others, [])
})

test('a Secret is read by what it holds, and shows nothing of it', () => {
  const text = `apiVersion: v1
kind: Secret
metadata: {name: a, namespace: shop}
type: Opaque
data: {both: ${Buffer.from('hunter1').toString('base64')}, bytes: "/wA="}
stringData: {both: hunter2, empty: ""}
`
  const { declarations, problems } = parseManifests('f.yaml', text)
  assert.deepEqual(problems, [])
  const [{ kind, value } = {}] = declarations
  assert.ok(kind === 'Secret' && value !== undefined)
  assert.deepEqual(
    [...value.data].map(([key, held]) => [key, held.reveal().toString('latin1')]),
    [
      ['both', 'hunter2'],
      ['bytes', '\xff\0'],
      ['empty', '']
    ]
  )
  assert.doesNotMatch(inspect(declarations, { depth: 9 }) + JSON.stringify([...value.data]), /hunter|aHVudGVy/)
})

test('what is refused is an error, what has no effect is a warning', () => {
  assert.equal(parseManifests('f', 'hello').problems[0]?.severity, 'error')
  assert.equal(parseManifests('f', 'apiVersion: v1\nkind: ConfigMap\n').problems[0]?.severity, 'warning')
})

test('messages never hold the text of a document that is not read', () => {
  const secret = 'apiVersion: v1\nkind: Secret\ndata:\n  password: hunter2\n  password: [hunter2\n'
  const { problems } = parseManifests('f.yaml', secret)
  assert.equal(problems.length, 1)
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
})

test('a document with a mistake does not take the others with it', () => {
  const { declarations, problems } = parseManifests('f', `${POD}---\nkind: [\n---\n${SERVICE}`)
  assert.deepEqual(
    declarations.map(({ kind }) => kind),
    ['Pod', 'Service']
  )
  assert.equal(problems.length, 1)
})

test('empty documents and comments are nothing', () => {
  for (const text of ['', '\n', '---\n---\n', '# nothing\n', '---\n# nothing\n---\n', 'null\n', '\uFEFF'])
    assert.deepEqual(parseManifests('f', text), { declarations: [], problems: [] }, JSON.stringify(text))
})

test('every object knows the place of its name', () => {
  const { declarations } = parseManifests('f', `${POD}---\n${SERVICE}`)
  assert.deepEqual(
    declarations.map(({ place }) => [place.line, place.column]),
    [
      [3, 18],
      [11, 9]
    ]
  )
})

test('JSON is read as YAML is', () => {
  const json = JSON.stringify(
    { apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }] },
    null,
    '\t'
  )
  const { declarations, problems } = parseManifests('f.json', json)
  assert.deepEqual(problems, [])
  assert.deepEqual(declarations[0]?.value, { name: 'a', labels: {} })
})

test('anchors and merge keys mean what they mean to kubectl', () => {
  const text = `apiVersion: v1
kind: Service
metadata: {name: a, labels: &labels {app: a}}
spec:
  selector: {<<: *labels, tier: web}
  ports: [{port: 80}]
`
  const { declarations } = parseManifests('f', text)
  assert.deepEqual(declarations[0]?.kind === 'Service' && declarations[0].value.selector, { app: 'a', tier: 'web' })
})

test('brackets without end are too deep, and nothing worse', () => {
  const { problems } = parseManifests('f', '['.repeat(50_000))
  assert.match(problems[0]?.message ?? '', /nested too deeply/)
})

test('no text makes it throw', () => {
  const word = fc.constantFrom(
    'apiVersion: v1\n',
    'kind: Pod\n',
    'kind: Service\n',
    'kind: List\n',
    'items:\n',
    '- ',
    '  ',
    'metadata:\n',
    'name: a\n',
    '---\n',
    '&a ',
    '*a ',
    '<<: *a\n',
    '? ',
    ': ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '!x ',
    '|',
    '>',
    '#',
    '\t',
    '%YAML 1.1\n',
    'spec:\n',
    'ports:\n',
    'port: 99999\n',
    '__proto__: 1\n',
    'null\n',
    '\n',
    '\r\n',
    'selector: {a: b}\n',
    'portLevelMtls: {0: x}\n',
    'apiVersion: security.istio.io/v1\n',
    'kind: PeerAuthentication\n'
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 40 }).map(words => words.join(''))
  )
  fc.assert(
    fc.property(text, text => {
      const { problems } = parseManifests('f', text)
      for (const { line = 1, column = 1, message } of problems) {
        assert.ok(line >= 1 && column >= 1 && message !== '')
      }
    }),
    { numRuns: 2_000 }
  )
})

test('no object makes it throw, whatever is in the fields that are read', () => {
  const value = fc.letrec(tie => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, 0, -1, 80, 70000, 1.5, true, '', 'None', 'http', '10.0.0.1', 'shop', 'TCP', 'Pod'),
      fc.string(),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 6 })
    )
  })).value
  const kinds = fc.constantFrom(
    ['v1', 'Pod'],
    ['v1', 'Service'],
    ['v1', 'Namespace'],
    ['v1', 'List'],
    ['apps/v1', 'Deployment'],
    ['discovery.k8s.io/v1', 'EndpointSlice'],
    ['security.istio.io/v1', 'PeerAuthentication']
  )
  fc.assert(
    fc.property(kinds, fc.dictionary(fc.constantFrom(...FIELDS), value), ([apiVersion, kind], fields) => {
      parseManifests('f', JSON.stringify({ apiVersion, kind, ...fields }))
    }),
    { numRuns: 2_000 }
  )
})

const FIELDS = [
  'metadata',
  'name',
  'namespace',
  'labels',
  'annotations',
  'spec',
  'status',
  'containers',
  'initContainers',
  'ports',
  'port',
  'targetPort',
  'containerPort',
  'protocol',
  'selector',
  'matchLabels',
  'clusterIP',
  'clusterIPs',
  'podIP',
  'podIPs',
  'ip',
  'template',
  'items',
  'endpoints',
  'addresses',
  'addressType',
  'conditions',
  'targetRef',
  'mtls',
  'mode',
  'portLevelMtls',
  'uid',
  'countersign.dev/service-accounts',
  'kubernetes.io/service-name',
  'deletionTimestamp',
  '__proto__'
]
