import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { CHART, helm, type Manifest, NAMESPACE, read, refusal } from './helm.ts'
import { currentReadme, defaultOf } from './readme.ts'
import { documentedValues } from './values-table.ts'

const values = parse(read('values.yaml')) as Manifest
const schema = JSON.parse(read('values.schema.json')) as Manifest
const documented = documentedValues(read('values.yaml'))

// Helm itself adds these to the values of every chart that has another below it.
const OF_HELM = ['global', 'crds.global']

const resolve = (part: Manifest): Manifest =>
  typeof part['$ref'] === 'string' ? schema['definitions'][part['$ref'].replace('#/definitions/', '')] : part

/** Maps with keys of their own choosing, such as labels: nothing below them is a value of the chart. */
const isClosed = (part: Manifest): boolean => part['additionalProperties'] === false

/** All paths that the schema names, down to where users choose the keys. */
function schemaPaths(part: Manifest, above: readonly string[] = []): string[] {
  return Object.entries((part['properties'] ?? {}) as Manifest).flatMap(([key, below]) => {
    const path = [...above, key]
    const resolved = resolve(below)
    const isOpen = Object.keys(Object(defaultOf(path.join('.')) ?? {})).length === 0
    return [path.join('.'), ...(isOpen || Array.isArray(defaultOf(path.join('.'))) ? [] : schemaPaths(resolved, path))]
  })
}

function valuePaths(value: unknown, above: readonly string[] = []): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  return Object.entries(value).flatMap(([key, below]) => [
    [...above, key].join('.'),
    ...valuePaths(below, [...above, key])
  ])
}

describe('the values of the chart', () => {
  it('are each explained by a comment', () => {
    assert.deepEqual(
      documented.map(({ path }) => path),
      valuePaths(values)
    )
    assert.ok(documented.length >= 90, `only ${documented.length} values were read`)
    assert.deepEqual(
      documented.filter(({ description }) => !/^[A-Z`].*[.:]$/.test(description)),
      [],
      'comments that are missing or no sentence'
    )
  })

  // A limit of CPU is allowed and not set: it would slow down what others wait for.
  it('are those of the schema, in the same order', () => {
    const paths = schemaPaths(schema).filter(path => !OF_HELM.includes(path) && !path.endsWith('.limits.cpu'))
    assert.deepEqual(paths, valuePaths(values))
  })

  it('have a schema that knows every key of every closed map', () => {
    const open: string[] = []
    const visit = (part: Manifest, path: string): void => {
      const resolved = resolve(part)
      if (resolved['properties'] !== undefined && !isClosed(resolved)) open.push(path)
      for (const [key, below] of Object.entries((resolved['properties'] ?? {}) as Manifest))
        visit(below, `${path}.${key}`)
    }
    visit(schema, '')
    assert.deepEqual(open, [])
  })

  it('are explained in the README as in values.yaml', () => {
    assert.equal(read('README.md'), currentReadme(), 'run `node test/chart/readme.ts`')
  })

  it('pass the linter of helm, the strict one', () => {
    assert.match(helm(['lint', '--strict', CHART]), /1 chart\(s\) linted, 0 chart\(s\) failed/)
  })

  it('have the version of the programs', () => {
    const { version } = JSON.parse(readFileSync(join(CHART, '../../package.json'), 'utf8'))
    for (const file of ['Chart.yaml', 'charts/countersign-crds/Chart.yaml']) {
      const chart = parse(read(file))
      assert.deepEqual([chart.version, chart.appVersion], [version, version], file)
    }
    assert.equal(parse(read('Chart.yaml')).dependencies[0].version, version)
  })

  it('have the Envoy that the tests run with', () => {
    const version = readFileSync(join(CHART, '../../tools/envoy.txt'), 'utf8').trim().split('==')[1]
    assert.equal(values['images'].proxy.tag, `distroless-v${version}`)
  })
})

describe('helm refuses', () => {
  const refusals: Readonly<Record<string, readonly [object, RegExp]>> = {
    'a value that there is not': [{ image: {} }, /additional properties 'image' not allowed/],
    'a value that there is not, further down': [
      { webhook: { replica: 1 } },
      /additional properties 'replica' not allowed/
    ],
    'a value that there is not, in the chart of definitions': [{ crds: { enable: true } }, /'enable' not allowed/],
    'a trust domain with a scheme': [{ trustDomain: 'spiffe://a' }, /\/trustDomain/],
    'a level of logs that is none': [{ logLevel: 'verbose' }, /\/logLevel/],
    'a network that is none': [
      { tokenIssuers: { blockedAddresses: ['everything'] } },
      /\/tokenIssuers\/blockedAddresses/
    ],
    'a version of TLS that is too old': [{ minimumTlsWithoutProxy: '1.1' }, /\/minimumTlsWithoutProxy/],
    'an image as one word': [{ images: { webhook: 'registry/webhook:1' } }, /\/images\/webhook/],
    'a digest that is none': [{ images: { webhook: { digest: 'latest' } } }, /\/images\/webhook\/digest/],
    'no replicas': [{ authority: { replicas: 0 } }, /\/authority\/replicas/],
    'a number for a truth': [{ crds: { enabled: 1 } }, /\/crds\/enabled/],
    'a folder that is no absolute path': [{ kubeletFolder: 'var/lib/kubelet' }, /\/kubeletFolder/],
    'a folder with a slash at its end': [{ kubeletFolder: '/var/lib/kubelet/' }, /\/kubeletFolder/],
    'a lifetime without a unit': [{ authority: { certificateLifetime: '24' } }, /\/authority\/certificateLifetime/],
    'labels that the chart sets': [{ commonLabels: { 'app.kubernetes.io/name': 'a' } }, /app\.kubernetes\.io\/name/],
    'a label for pods that is none': [{ agent: { podLabels: { a: 'b c' } } }, /\/agent\/podLabels\/a/],
    'a namespace that is none': [{ injection: { excludedNamespaces: ['Kube'] } }, /\/injection\/excludedNamespaces\/0/],
    'a word for pods that are not enrolled that is none': [
      { enrolment: { unenrolledPods: 'some' } },
      /\/enrolment\/unenrolledPods/
    ],
    'a rule of the floor that there is not': [{ floor: { mesh: { strict: true } } }, /'strict' not allowed/],
    'a rule of the floor that is no truth': [{ floor: { mesh: { mutualTls: 'strict' } } }, /\/floor\/mesh\/mutualTls/],
    'a rule of the floor of a namespace that there is not': [
      { floor: { namespaces: { shop: { STRICT: true } } } },
      /'STRICT' not allowed/
    ],
    'a floor of a namespace that is none': [{ floor: { namespaces: { '*': {} } } }, /'\*' does not match pattern/],
    'a floor of an excluded namespace': [
      { floor: { namespaces: { 'kube-system': { injection: true } } } },
      /floor\.namespaces\.kube-system: expected a namespace that is not excluded/
    ],
    'a namespace below the floor of the mesh': [
      { floor: { mesh: { injection: true }, namespaces: { shop: { injection: false } } } },
      /floor\.namespaces\.shop\.injection: expected true or nothing, got false/
    ],
    'a namespace for logins that is none': [{ login: { namespaces: ['*'] } }, /\/login\/namespaces\/0/],
    'a namespace for Secrets that is none': [
      { certificateSecrets: { namespaces: ['shop*'] } },
      /\/certificateSecrets\/namespaces\/0/
    ],
    'all namespaces for Secrets, and one of them': [
      { certificateSecrets: { namespaces: ['*', 'shop'] } },
      /certificateSecrets\.namespaces: expected '\*' alone or names of namespaces, got '\*' among names/
    ],
    'its own namespace for Secrets': [
      { certificateSecrets: { namespaces: ['shop', NAMESPACE] } },
      /certificateSecrets\.namespaces: expected other namespaces than .* itself, .*got countersign-system/
    ],
    'a lifetime in Secrets that is none': [
      { certificateSecrets: { lifetime: '1w' } },
      /\/certificateSecrets\/lifetime/
    ],
    'a limit of lifetimes that is a number': [
      { certificateSecrets: { longestLifetime: 90 } },
      /\/certificateSecrets\/longestLifetime/
    ],
    'a certificate that the API server would not trust': [
      { webhook: { certificate: { secret: 'mine' } } },
      /webhook\.certificate\.secret: expected .*certManager or .*caBundle with it/
    ]
  }
  for (const [what, [wrong, message]] of Object.entries(refusals)) it(what, () => assert.match(refusal(wrong), message))

  it('a cluster that is too old', () => {
    assert.throws(
      () => helm(['template', 'countersign', CHART, '--kube-version', '1.32.9']),
      /chart requires kubeVersion: >=1\.33\.0-0/
    )
  })
})
