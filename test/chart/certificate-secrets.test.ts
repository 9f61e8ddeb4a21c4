import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROTOCOL_CONFLICT } from '../../authority/status/index.ts'
import { SECRET_TYPE, SECRETS_LABEL, secretNameOf } from '../../shared/certificate-secrets/index.ts'
import { find, type Manifest, NAMESPACE, render } from './helm.ts'

const POLICY = 'ValidatingAdmissionPolicy'
const ROLE = 'countersign-certificate-secrets'
const AUTHORITY = 'system:serviceaccount:mesh:countersign-authority'

const withNamespaces = (...namespaces: string[]): readonly Manifest[] =>
  render({ values: { certificateSecrets: { namespaces } }, namespace: 'mesh' })
const none = withNamespaces()
const some = withNamespaces('shop', 'bank', 'shop')
const all = withNamespaces('*')

describe('permission for certificates in Secrets', () => {
  const bindings = (manifests: readonly Manifest[]) => manifests.filter(({ roleRef }) => roleRef?.name === ROLE)
  const subjects = [{ kind: 'ServiceAccount', name: 'countersign-authority', namespace: 'mesh' }]

  it('is given nowhere, unless somebody says so', () => {
    assert.deepEqual(bindings(render()), [])
    assert.deepEqual(bindings(none), [])
  })

  it('is given in the namespaces that are named, once in each, and in no other', () => {
    assert.deepEqual(
      bindings(some).map(({ kind, metadata, roleRef, subjects }) => [kind, metadata.namespace, roleRef.kind, subjects]),
      ['shop', 'bank'].map(namespace => ['RoleBinding', namespace, 'ClusterRole', subjects])
    )
  })

  it('is given everywhere by one binding where all are meant', () => {
    assert.deepEqual(
      bindings(all).map(({ kind, metadata, roleRef, subjects }) => [kind, metadata.namespace, roleRef.kind, subjects]),
      [['ClusterRoleBinding', undefined, 'ClusterRole', subjects]]
    )
  })

  it('says nothing of a namespace whose name YAML would take for something else', () => {
    const [binding] = bindings(withNamespaces('123'))
    assert.equal(binding?.['metadata'].namespace, '123')
  })

  it('is not what deletes anything: Secrets go with their accounts', () => {
    const { rules } = find(some, 'ClusterRole', ROLE)
    for (const { verbs } of rules) assert.ok(!verbs.some((verb: string) => /delete|update|\*/.test(verb)))
    const [{ args }] = find(some, 'Job', 'countersign-uninstall-delete-state')['spec'].template.spec.containers
    assert.ok(!args.some((path: string) => path.includes(secretNameOf('') ?? 'countersign.')))
  })
})

describe('the policies of admission', () => {
  const names = (manifests: readonly Manifest[], kind: string): string[] =>
    manifests.filter(manifest => manifest['kind'] === kind).map(({ metadata }) => metadata.name)
  const actions: Readonly<Record<string, string>> = {
    'countersign-authority-namespaces': 'Deny',
    'countersign-authority-secrets': 'Deny',
    'countersign-authority-services': 'Deny',
    'countersign-certificates-annotation': 'Deny',
    'countersign-secrets-label': 'Warn'
  }

  // `helm template` does not know what an API server has: a guard that is there only if it is told would be missing.
  it('are there whatever values and API server say, each with its binding', () => {
    for (const manifests of [none, some, all, render({ kubernetes: '1.33.0' })])
      for (const kind of [POLICY, `${POLICY}Binding`])
        assert.deepEqual(names(manifests, kind).sort(), Object.keys(actions))
    for (const [name, action] of Object.entries(actions)) {
      const { policyName, validationActions, ...rest } = find(some, `${POLICY}Binding`, name)['spec']
      assert.deepEqual([policyName, validationActions, rest], [name, [action], {}])
    }
  })

  const specOf = (manifests: readonly Manifest[], name: string): Manifest => find(manifests, POLICY, name)['spec']
  const conditionsOf = (spec: Manifest): string[] =>
    spec['matchConditions'].map(({ expression }: Manifest) => expression)
  const validationsOf = (spec: Manifest): string => JSON.stringify(spec['validations'])

  it('hold the authority fast, whatever happens, and nobody else', () => {
    for (const name of ['secrets', 'namespaces', 'services'].map(what => `countersign-authority-${what}`)) {
      const spec = specOf(some, name)
      assert.equal(spec['failurePolicy'], 'Fail')
      assert.equal(conditionsOf(spec)[0], `request.userInfo.username == '${AUTHORITY}'`)
      for (const { reason } of spec['validations']) assert.equal(reason, 'Forbidden')
    }
  })

  it('let the authority write Secrets of its own kind, and make the key of the mesh at home', () => {
    const spec = specOf(some, 'countersign-authority-secrets')
    const [{ resources, operations }] = spec['matchConstraints'].resourceRules
    assert.deepEqual([resources, operations], [['secrets'], ['CREATE', 'UPDATE']])
    const exempt = [
      "request.namespace == 'mesh'",
      "request.operation == 'CREATE'",
      "object.metadata.name == 'countersign-root'"
    ]
    for (const part of exempt) assert.ok(conditionsOf(spec)[1]?.includes(part), part)
    const [type, name, label] = spec['validations'].map(({ expression }: Manifest) => expression)
    assert.ok(type.startsWith(`object.type == '${SECRET_TYPE}'`), type)
    assert.match(type, /oldObject\.type == object\.type/)
    const [, prefix] = /object\.metadata\.name\.startsWith\('(.+)'\)/.exec(name) ?? []
    assert.equal(secretNameOf('orders'), `${prefix}orders`)
    assert.ok(label.includes(`namespaceObject.metadata.?labels[?'${SECRETS_LABEL}'].orValue('') == 'enabled'`), label)
  })

  it('let the authority change nothing of a Namespace but its own condition', () => {
    const spec = specOf(some, 'countersign-authority-namespaces')
    const [{ resources, operations }] = spec['matchConstraints'].resourceRules
    assert.deepEqual([resources, operations], [['namespaces', 'namespaces/status'], ['UPDATE']])
    for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences'])
      assert.ok(validationsOf(spec).includes(`object.metadata.?${field} == oldObject.metadata.?${field}`), field)
    assert.match(validationsOf(spec), /condition\.type != 'countersign\.dev\/CertificatesReady'/)
  })

  it('let the authority change nothing of a Service but its own condition', () => {
    const spec = specOf(some, 'countersign-authority-services')
    const [{ resources, operations }] = spec['matchConstraints'].resourceRules
    assert.deepEqual([resources, operations], [['services', 'services/status'], ['UPDATE']])
    const fields = ['labels', 'annotations', 'finalizers', 'ownerReferences'].map(field => `metadata.?${field}`)
    for (const field of [...fields, 'spec', '?status.loadBalancer'])
      assert.ok(validationsOf(spec).includes(`object.${field} == oldObject.${field}`), field)
    assert.ok(validationsOf(spec).includes(`condition.type != '${PROTOCOL_CONFLICT}'`))
  })

  it('are in nobody’s way where they only tell', () => {
    for (const name of ['countersign-secrets-label', 'countersign-certificates-annotation'])
      assert.equal(specOf(some, name)['failurePolicy'], 'Ignore')
  })

  it('tell of pods where the webhook is never asked', () => {
    const text = validationsOf(specOf(some, 'countersign-certificates-annotation'))
    assert.ok(text.includes("!(request.namespace in ['kube-system','kube-node-lease','mesh'])"), text)
  })

  const allowed: Readonly<Record<string, readonly [readonly Manifest[], string]>> = {
    'no namespace': [none, ' in []'],
    'the namespaces that are named': [some, " in ['shop','bank']"],
    'all namespaces but its own': [all, " != 'mesh'"]
  }
  for (const [what, [manifests, expression]] of Object.entries(allowed))
    it(`know that Secrets are allowed in ${what}`, () => {
      const label = validationsOf(specOf(manifests, 'countersign-secrets-label'))
      const annotation = validationsOf(specOf(manifests, 'countersign-certificates-annotation'))
      assert.ok(label.includes(`"object.metadata.name${expression}"`), label)
      assert.ok(annotation.includes(`"request.namespace${expression}"`), annotation)
    })

  it('say where the list is that lacks a namespace', () => {
    for (const name of ['countersign-secrets-label', 'countersign-certificates-annotation'])
      assert.match(
        validationsOf(specOf(some, name)),
        /the namespace is not in the value certificateSecrets\.namespaces of the Helm release countersign in mesh/
      )
  })

  it('are about the namespace in which Countersign is', () => {
    const spec = specOf(render(), 'countersign-authority-secrets')
    assert.ok(conditionsOf(spec).join().includes(`system:serviceaccount:${NAMESPACE}:countersign-authority`))
  })
})
