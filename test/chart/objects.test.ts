import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CERTIFICATES_ANNOTATION, SECRETS_LABEL } from '../../shared/certificate-secrets/index.ts'
import { floorOf, parseFloor } from '../../shared/floor/index.ts'
import { find, type Manifest, NAMESPACE, render } from './helm.ts'

const manifests = render()
const isWorkload = ({ kind }: Manifest): boolean => ['Deployment', 'DaemonSet', 'Job'].includes(kind)
const workloads = manifests.filter(isWorkload)
const podOf = (manifest: Manifest): Manifest => manifest['spec'].template.spec
const agent = podOf(find(manifests, 'DaemonSet', 'countersign-agent'))
const containerOf = (pod: Manifest, wanted: string): Manifest =>
  pod['containers'].find(({ name }: Manifest) => name === wanted)

describe('the chart', () => {
  it('was rendered as a whole', () => {
    assert.ok(manifests.length >= 30, `only ${manifests.length} objects`)
    assert.deepEqual(workloads.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort(), [
      'DaemonSet countersign-agent',
      'Deployment countersign-authority',
      'Deployment countersign-webhook',
      'Job countersign-uninstall-check',
      'Job countersign-uninstall-delete-state'
    ])
  })

  it('is the same when it is rendered again', () => assert.deepEqual(render(), manifests))

  it('keeps its objects in its namespace, each once, with its labels', () => {
    const clusterWide =
      /^(ClusterRole|ClusterRoleBinding|CSIDriver|CustomResourceDefinition|.*WebhookConfiguration|ValidatingAdmissionPolicy(Binding)?)$/
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    assert.equal(new Set(names).size, names.length)
    for (const { kind, metadata } of manifests) {
      assert.equal(metadata.namespace, clusterWide.test(kind) ? undefined : NAMESPACE, `${kind} ${metadata.name}`)
      assert.equal(metadata.labels['app.kubernetes.io/part-of'], 'countersign', `${kind} ${metadata.name}`)
      assert.match(metadata.name, /countersign|^(peer|request)authentications\.security\.istio\.io$/)
    }
  })

  it('makes no Secret: no key goes through Helm', () => {
    assert.deepEqual(
      manifests.filter(({ kind }) => kind === 'Secret'),
      []
    )
  })

  it('has images of its own version, and nothing that is called latest', () => {
    const images = workloads.flatMap(manifest => podOf(manifest)['containers'].map(({ image }: Manifest) => image))
    for (const image of images) assert.match(image, /^countersign\.dev\/(webhook|authority|agent|node):\d+\.\d+\.\d+$/)
  })

  it('lets the authority see Nodes exactly where addresses are checked against their podCIDRs', () => {
    for (const podCidrs of ['enforced', 'ignored']) {
      const rendered = render({ values: { podCidrs } })
      const rules: Manifest[] = find(rendered, 'ClusterRole', 'countersign-authority')['rules']
      const ofNodes = rules.filter(({ resources }) => resources?.includes('nodes'))
      assert.deepEqual(
        ofNodes.map(({ verbs }) => verbs),
        podCidrs === 'enforced' ? [['list', 'watch']] : []
      )
      const { args } = containerOf(podOf(find(rendered, 'Deployment', 'countersign-authority')), 'authority')
      assert.ok(args.includes(`--pod-cidrs=${podCidrs}`))
    }
  })

  it('takes a digest instead of a tag', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const rendered = render({ values: { images: { node: { repository: 'r.example:5000/node', tag: 'x', digest } } } })
    const pod = podOf(find(rendered, 'DaemonSet', 'countersign-agent'))
    assert.equal(containerOf(pod, 'node')['image'], `r.example:5000/node@${digest}`)
  })

  it('takes what users say of every pod', () => {
    const placement = {
      priorityClassName: 'low',
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'a', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      podAnnotations: { a: 'b' },
      podLabels: { c: 'd' }
    }
    const values = { webhook: placement, authority: placement, agent: placement, commonLabels: { team: 'mesh' } }
    const rendered = render({ values: { ...values, imagePullSecrets: [{ name: 'pull' }] } })
    for (const manifest of rendered.filter(({ kind }) => ['Deployment', 'DaemonSet'].includes(kind))) {
      const { metadata, spec } = manifest['spec'].template
      const { podAnnotations, podLabels, ...rest } = placement
      for (const [key, value] of Object.entries(rest)) assert.deepEqual(spec[key], value)
      assert.deepEqual(spec.imagePullSecrets, [{ name: 'pull' }])
      assert.equal(metadata.annotations.a, podAnnotations.a)
      assert.deepEqual([metadata.labels.c, metadata.labels.team], [podLabels.c, 'mesh'])
    }
  })

  it('selects its pods by labels that they have and that no version changes', () => {
    for (const manifest of workloads.filter(({ kind }) => kind !== 'Job')) {
      const { selector, template } = manifest['spec']
      assert.deepEqual(Object.keys(selector.matchLabels).sort(), [
        'app.kubernetes.io/component',
        'app.kubernetes.io/name'
      ])
      for (const [key, value] of Object.entries(selector.matchLabels))
        assert.equal(template.metadata.labels[key], value)
      assert.equal(template.metadata.labels['helm.sh/chart'], undefined)
    }
  })

  it('survives the loss of one replica of webhook and authority', () => {
    for (const name of ['countersign-webhook', 'countersign-authority']) {
      const { spec } = find(manifests, 'Deployment', name)
      assert.deepEqual([spec.replicas, spec.strategy.rollingUpdate.maxUnavailable], [2, 0])
      assert.equal(find(manifests, 'PodDisruptionBudget', name)['spec'].maxUnavailable, 1)
      assert.deepEqual(
        spec.template.spec.topologySpreadConstraints.map(({ topologyKey }: Manifest) => topologyKey),
        ['kubernetes.io/hostname', 'topology.kubernetes.io/zone']
      )
    }
  })

  it('has a quota for pods of critical priority only where it is asked for', () => {
    assert.ok(!manifests.some(({ kind }) => kind === 'ResourceQuota'))
    const values = { criticalPodsQuota: { enabled: true, pods: 70 } }
    assert.equal(find(render({ values }), 'ResourceQuota', 'countersign-critical-pods')['spec'].hard.pods, '70')
  })
})

describe('privileges', () => {
  const containers = workloads.flatMap(manifest => podOf(manifest)['containers']) as Manifest[]

  it('are none for any container but node', () => {
    assert.ok(containers.length >= 6)
    for (const { name, securityContext } of containers) {
      assert.equal(securityContext.privileged, false, name)
      assert.equal(securityContext.allowPrivilegeEscalation, false, name)
      assert.equal(securityContext.readOnlyRootFilesystem, true, name)
      assert.deepEqual(securityContext.capabilities.drop, ['ALL'], name)
      assert.deepEqual(securityContext.seccompProfile, { type: 'RuntimeDefault' }, name)
      const { add } = securityContext.capabilities
      assert.deepEqual(add, name === 'node' ? ['SYS_PTRACE', 'SYS_ADMIN', 'NET_ADMIN', 'NET_RAW'] : undefined, name)
      if (!['node', 'agent'].includes(name)) assert.equal(securityContext.runAsNonRoot, true, name)
    }
  })

  it('of the node are those of the agent alone', () => {
    for (const manifest of workloads) {
      const pod = podOf(manifest)
      const uses = pod['volumes']?.some((volume: Manifest) => volume['hostPath'] !== undefined) ?? false
      const isAgent = manifest['metadata'].name === 'countersign-agent'
      assert.deepEqual([uses, pod['hostPID'] ?? false], [isAgent, false])
      assert.deepEqual([pod['hostNetwork'], pod['hostIPC']], [undefined, undefined])
    }
    assert.deepEqual(
      agent['volumes'].flatMap(({ hostPath }: Manifest) => hostPath?.path ?? []),
      [
        '/run/countersign',
        '/var/lib/kubelet/pods',
        '/var/lib/kubelet/plugins/csi.countersign.dev',
        '/var/lib/kubelet/plugins_registry',
        '/proc',
        '/run/xtables.lock'
      ]
    )
  })

  for (const [capture, needed] of Object.entries({
    auto: true,
    iptables: true,
    'iptables-legacy': true,
    nftables: false,
    'iptables-nft': false
  }))
    it(`${needed ? '' : 'do not '}include what iptables-legacy needs when capture is by ${capture}`, () => {
      const pod = podOf(find(render({ values: { agent: { capture } } }), 'DaemonSet', 'countersign-agent'))
      const { securityContext, volumeMounts } = containerOf(pod, 'node')
      const names = (list: readonly Manifest[]): string[] => list.map(({ name }) => name)
      assert.equal(securityContext.capabilities.add.includes('NET_RAW'), needed)
      assert.equal(names(volumeMounts).includes('xtables-lock'), needed)
      assert.equal(names(pod['volumes']).includes('xtables-lock'), needed)
    })

  it('of the registration and the socket of the kubelet are those of node, tokens and trust those of agent', () => {
    const mounts = (name: string): string[] =>
      containerOf(agent, name)['volumeMounts'].map((mount: Manifest) => mount['name'])
    assert.deepEqual(mounts('node'), ['state', 'proc', 'pods', 'plugin', 'registration', 'xtables-lock'])
    assert.deepEqual(mounts('agent'), ['state', 'pods', 'token', 'bundle'])
  })

  it('let mounts of other pods go when the node lets them go', () => {
    for (const name of ['node', 'agent']) {
      const { mountPropagation } = containerOf(agent, name)['volumeMounts'].find(
        (mount: Manifest) => mount['name'] === 'pods'
      )
      assert.equal(mountPropagation, 'HostToContainer')
    }
  })

  it('of the agent in the Kubernetes API are none, not even a token', () => {
    assert.equal(agent['automountServiceAccountToken'], false)
    assert.equal(find(manifests, 'ServiceAccount', 'countersign-agent')['automountServiceAccountToken'], false)
    const subjects = manifests.flatMap(({ subjects = [] }) => subjects.map(({ name }: Manifest) => name))
    assert.deepEqual([...new Set(subjects)].sort(), [
      'countersign-authority',
      'countersign-uninstall-check',
      'countersign-uninstall-delete-state',
      'countersign-webhook'
    ])
  })

  it('in the Kubernetes API are these', () => {
    const rules = manifests
      .filter(({ kind }) => /^(Cluster)?Role$/.test(kind))
      .flatMap(({ kind, metadata, rules }) =>
        rules.map(({ resources, nonResourceURLs, resourceNames = [], verbs }: Manifest) =>
          [
            kind,
            metadata.name,
            (resources ?? nonResourceURLs).join(','),
            resourceNames.join(','),
            verbs.join(',')
          ].join(' ')
        )
      )
    assert.deepEqual(rules.sort(), [
      'ClusterRole countersign-authority /openid/v1/jwks,/.well-known/openid-configuration  get',
      'ClusterRole countersign-authority customresourcedefinitions peerauthentications.security.istio.io,requestauthentications.security.istio.io,enduserauthentications.countersign.dev get',
      'ClusterRole countersign-authority endpointslices  list,watch',
      'ClusterRole countersign-authority enduserauthentications  list,watch',
      'ClusterRole countersign-authority enduserauthentications/status  patch',
      'ClusterRole countersign-authority namespaces,pods,services  list,watch',
      'ClusterRole countersign-authority nodes  list,watch',
      'ClusterRole countersign-authority peerauthentications,requestauthentications  list,watch',
      'ClusterRole countersign-authority peerauthentications/status,requestauthentications/status  patch',
      'ClusterRole countersign-authority services/status  patch',
      'ClusterRole countersign-certificate-secrets events  create',
      'ClusterRole countersign-certificate-secrets namespaces  get',
      'ClusterRole countersign-certificate-secrets namespaces/status  patch',
      'ClusterRole countersign-certificate-secrets secrets  list,watch,create,patch',
      'ClusterRole countersign-certificate-secrets serviceaccounts  list,watch',
      'ClusterRole countersign-login secrets  get',
      'ClusterRole countersign-uninstall-check pods  list',
      'ClusterRole countersign-webhook mutatingwebhookconfigurations,validatingwebhookconfigurations countersign-webhook list,watch,patch',
      'ClusterRole countersign-webhook pods,services  list',
      'Role countersign-authority configmaps countersign-bundle list,watch,create,patch',
      'Role countersign-authority configmaps countersign-key-sets get,create,patch',
      'Role countersign-authority leases  create',
      'Role countersign-authority leases countersign-authority get,update',
      'Role countersign-authority secrets  create',
      'Role countersign-authority secrets countersign-root get',
      'Role countersign-uninstall-delete-state configmaps countersign-bundle,countersign-key-sets delete',
      'Role countersign-uninstall-delete-state leases countersign-authority delete',
      'Role countersign-uninstall-delete-state secrets countersign-root,countersign-webhook-ca delete',
      'Role countersign-webhook secrets  create',
      'Role countersign-webhook secrets countersign-webhook-ca get,update'
    ])
  })
})

describe('Secrets of logins', () => {
  const bindings = (rendered: readonly Manifest[]) =>
    rendered.filter(({ roleRef }) => roleRef?.name === 'countersign-login')

  it('may be read nowhere, unless somebody says so', () => assert.deepEqual(bindings(manifests), []))

  it('may be read by the authority in the namespaces that are named, and in no other', () => {
    const rendered = render({ values: { login: { namespaces: ['shop', 'bank', 'shop'] } }, namespace: 'mesh' })
    assert.deepEqual(
      bindings(rendered).map(({ kind, metadata, subjects }) => [kind, metadata.namespace, subjects]),
      ['shop', 'bank'].map(namespace => [
        'RoleBinding',
        namespace,
        [{ kind: 'ServiceAccount', name: 'countersign-authority', namespace: 'mesh' }]
      ])
    )
    assert.ok(bindings(rendered).every(({ roleRef }) => roleRef.kind === 'ClusterRole'))
  })
})

describe('the agent', () => {
  it('runs on every node, before what needs it', () => {
    assert.deepEqual(agent['tolerations'], [{ operator: 'Exists' }])
    assert.equal(agent['priorityClassName'], 'system-node-critical')
    const { updateStrategy } = find(manifests, 'DaemonSet', 'countersign-agent')['spec']
    assert.equal(updateStrategy.rollingUpdate.maxUnavailable, 1)
  })

  it('gets a token that is good for the authority alone', () => {
    const { projected } = agent['volumes'].find(({ name }: Manifest) => name === 'token')
    assert.deepEqual(projected.sources, [
      { serviceAccountToken: { audience: 'countersign-ca', expirationSeconds: 3600, path: 'token' } }
    ])
  })
})

describe('the CSI driver', () => {
  const tokensAre = (kubernetes: string, tokensInSecrets = 'auto'): unknown[] => {
    const rendered = render({ kubernetes, values: { agent: { tokensInSecrets } } })
    const { args } = containerOf(podOf(find(rendered, 'DaemonSet', 'countersign-agent')), 'node')
    const { spec } = find(rendered, 'CSIDriver', 'csi.countersign.dev')
    return [spec.serviceAccountTokenInSecrets, args.find((text: string) => text.startsWith('--tokens-in-secrets='))]
  }
  const inContext = [undefined, '--tokens-in-secrets=false']
  const inSecrets = [true, '--tokens-in-secrets=true']

  it('is told who a pod is, and given a token for the authority alone', () => {
    assert.deepEqual(find(manifests, 'CSIDriver', 'csi.countersign.dev')['spec'], {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Ephemeral'],
      fsGroupPolicy: 'None',
      requiresRepublish: true,
      tokenRequests: [{ audience: 'countersign-ca', expirationSeconds: 3600 }]
    })
  })

  for (const [version, expected] of [
    ['1.33.0', inContext],
    ['1.34.9-eks-1234', inContext],
    ['1.35.0', inSecrets],
    ['1.35.0-gke.100', inSecrets],
    ['1.37.2', inSecrets]
  ] as const)
    it(`and node agree on where tokens are with Kubernetes ${version}`, () =>
      assert.deepEqual(tokensAre(version), expected))

  it('and node follow a user who knows better', () => {
    assert.deepEqual(tokensAre('1.37.0', 'never'), inContext)
    assert.deepEqual(tokensAre('1.34.0', 'always'), inSecrets)
  })
})

describe('the webhook configurations', () => {
  const kinds = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']
  const configurations = kinds.map(kind => find(manifests, kind, 'countersign-webhook'))

  it('reach the Service, in time, without side effects', () => {
    const { ports } = find(manifests, 'Service', 'countersign-webhook')['spec']
    for (const { clientConfig, timeoutSeconds, sideEffects } of configurations.flatMap(({ webhooks }) => webhooks)) {
      const { name, namespace, port } = clientConfig.service
      assert.deepEqual([name, namespace, port], ['countersign-webhook', NAMESPACE, ports[0].port])
      assert.deepEqual([timeoutSeconds, sideEffects], [5, 'None'])
    }
  })

  it('leave caBundle to the webhook', () => {
    for (const { clientConfig } of configurations.flatMap(({ webhooks }) => webhooks))
      assert.equal(clientConfig.caBundle, undefined)
  })

  it('have the caBundle, or the annotation for it, that goes with another certificate', () => {
    const mutating = (certificate: object): Manifest =>
      find(render({ values: { webhook: { certificate } } }), 'MutatingWebhookConfiguration', 'countersign-webhook')
    const given = mutating({ secret: 'mine', caBundle: 'PEM' })['webhooks']
    assert.deepEqual(
      given.map(({ clientConfig }: Manifest) => Buffer.from(clientConfig.caBundle, 'base64').toString()),
      ['PEM', 'PEM', 'PEM']
    )
    const { metadata, webhooks } = mutating({ secret: 'mine', certManager: 'webhook' })
    assert.equal(metadata.annotations['cert-manager.io/inject-ca-from'], `${NAMESPACE}/webhook`)
    assert.equal(webhooks[0].clientConfig.caBundle, undefined)
  })

  it('fail closed for pods that asked for a proxy or certificates, and open for policies unless told otherwise', () => {
    assert.deepEqual(
      configurations.map(({ webhooks }) => webhooks.map(({ failurePolicy }: Manifest) => failurePolicy)),
      [['Fail', 'Fail', 'Fail'], ['Ignore']]
    )
    const strict = render({ values: { webhook: { validationFailurePolicy: 'Fail' } } })
    const [policy] = find(strict, 'ValidatingWebhookConfiguration', 'countersign-webhook')['webhooks']
    assert.equal(policy.failurePolicy, 'Fail')
  })

  const label = 'countersign.dev/inject'
  type Labels = Readonly<Record<string, string>>
  const asks: readonly (readonly [namespace: Labels, pod: Labels, asked: number, title: string])[] = [
    [{ [label]: 'enabled' }, {}, 1, 'a pod in a namespace with the label'],
    [{ [label]: 'enabled' }, { [label]: 'enabled' }, 1, 'a pod and a namespace that both have it, once'],
    [{ [label]: 'enabled' }, { [label]: 'disabled' }, 0, 'no pod that says no'],
    [{}, {}, 0, 'no pod in a namespace without it'],
    [{}, { [label]: 'enabled' }, 1, 'a pod that says yes itself'],
    [{ [label]: 'disabled' }, { [label]: 'enabled' }, 1, 'a pod that says yes where the namespace says no'],
    [{ [label]: 'disabled' }, {}, 0, 'no pod where the namespace says no'],
    [{}, { [label]: 'Enabled' }, 1, 'a pod with a wrong value, to say so'],
    [{ [label]: 'enabled', name: 'kube-system' }, { [label]: 'enabled' }, 0, 'no pod of kube-system'],
    [{ [label]: 'enabled', name: 'kube-node-lease' }, {}, 0, 'no pod of kube-node-lease'],
    [{ [label]: 'enabled', name: NAMESPACE }, { [label]: 'enabled' }, 0, 'no pod of its own namespace'],
    [{ name: NAMESPACE }, { [label]: 'enabled' }, 0, 'no pod of its own namespace without its label'],
    [{ [label]: 'enabled', name: 'excluded' }, { [label]: 'enabled' }, 0, 'no pod of a namespace that values exclude']
  ]
  const rendered = render({ values: { injection: { excludedNamespaces: ['excluded'] } } })
  const { webhooks } = find(rendered, 'MutatingWebhookConfiguration', 'countersign-webhook')
  const at = (path: string): Manifest[] =>
    webhooks.filter(({ clientConfig }: Manifest) => clientConfig.service.path === path)
  for (const [{ name = 'shop', ...namespace }, pod, asked, title] of asks)
    it(`ask about ${title}`, () => {
      const labels = { ...namespace, 'kubernetes.io/metadata.name': name }
      const found = at('/inject').filter(
        ({ namespaceSelector, objectSelector }: Manifest) =>
          matches(namespaceSelector, labels) && matches(objectSelector, pod)
      )
      assert.equal(found.length, asked)
    })

  type Floor = Readonly<Record<string, unknown>>
  const ofShop: Floor = { namespaces: { shop: { injection: true } } }
  const ofMesh: Floor = { mesh: { injection: true } }
  const others: Floor = { mesh: { mutualTls: true }, namespaces: { shop: { endUserChecks: true } } }
  const floors: readonly (readonly [floor: Floor, namespace: Labels, pod: Labels, asked: number, title: string])[] = [
    [ofShop, {}, {}, 1, 'a pod of a namespace in the floor without any label'],
    [ofShop, { [label]: 'disabled' }, { [label]: 'disabled' }, 1, 'a pod of the floor that says no twice, once'],
    [ofShop, { [label]: 'enabled' }, { [label]: 'enabled' }, 1, 'a pod of the floor that says yes twice, once'],
    [ofShop, { [label]: 'enabled' }, {}, 1, 'a pod of the floor in a namespace with the label, once'],
    [ofShop, {}, { [label]: 'Disabled' }, 1, 'a pod of the floor with a wrong value, once'],
    [ofShop, { name: 'bank' }, {}, 0, 'no pod of a namespace outside of the floor'],
    [ofShop, { name: 'bank', [label]: 'enabled' }, {}, 1, 'a pod outside of the floor as before'],
    [ofShop, { name: 'bank', [label]: 'enabled' }, { [label]: 'disabled' }, 0, 'no pod outside of it that says no'],
    [ofMesh, {}, {}, 1, 'a pod of any namespace in the floor of the mesh'],
    [
      ofMesh,
      { [label]: 'disabled' },
      { [label]: 'disabled' },
      1,
      'a pod under the floor of the mesh that says no twice'
    ],
    [
      ofMesh,
      { [label]: 'enabled' },
      { [label]: 'enabled' },
      1,
      'a pod under the floor of the mesh that says yes, once'
    ],
    [ofMesh, { name: 'kube-system' }, {}, 0, 'no pod of kube-system under the floor of the mesh'],
    [ofMesh, { name: 'kube-node-lease' }, {}, 0, 'no pod of kube-node-lease under the floor of the mesh'],
    [ofMesh, { name: NAMESPACE }, {}, 0, 'no pod of its own namespace under the floor of the mesh'],
    [ofMesh, { name: 'excluded' }, {}, 0, 'no pod of an excluded namespace under the floor of the mesh'],
    [others, {}, {}, 0, 'no further pod under a floor without injection']
  ]
  for (const [floor, { name = 'shop', ...namespace }, pod, asked, title] of floors)
    it(`ask about ${title}`, () => {
      const manifests = render({ values: { floor, injection: { excludedNamespaces: ['excluded'] } } })
      const all: Manifest[] = find(manifests, 'MutatingWebhookConfiguration', 'countersign-webhook')['webhooks']
      const labels = { ...namespace, 'kubernetes.io/metadata.name': name }
      const found = all.filter(
        ({ clientConfig, namespaceSelector, objectSelector = { matchExpressions: [] } }) =>
          clientConfig.service.path === '/inject' && matches(namespaceSelector, labels) && matches(objectSelector, pod)
      )
      assert.equal(found.length, asked)
      assert.ok(all.every(({ failurePolicy }) => failurePolicy === 'Fail'))
    })

  it('ask, under a floor of injection, about creations, and about changes of the image of the proxy alone', () => {
    for (const floor of [ofShop, ofMesh]) {
      const all = find(render({ values: { floor } }), 'MutatingWebhookConfiguration', 'countersign-webhook')['webhooks']
      const [{ rules, matchConditions }] = all.filter(({ name }: Manifest) => name === 'floor.inject.countersign.dev')
      assert.deepEqual(rules[0].operations, ['CREATE', 'UPDATE'])
      const [{ expression }] = matchConditions
      assert.match(
        expression,
        /^request\.operation == 'CREATE' \|\| .*c\.name == 'countersign-proxy'.*o\.image == c\.image/
      )
      for (const { name, rules: others } of all)
        if (name !== 'floor.inject.countersign.dev') assert.deepEqual(others[0].operations, ['CREATE'], name)
    }
  })

  const [certificates = {}] = at('/certificates')
  for (const [name, labels, asked] of [
    ['shop', { [SECRETS_LABEL]: 'enabled' }, true],
    ['shop', { [SECRETS_LABEL]: 'enabled', [label]: 'disabled' }, true],
    ['shop', { [label]: 'enabled' }, false],
    ['shop', { [SECRETS_LABEL]: 'true' }, false],
    ['kube-system', { [SECRETS_LABEL]: 'enabled' }, false],
    [NAMESPACE, { [SECRETS_LABEL]: 'enabled' }, false],
    // Certificates are no matter of injection.
    ['excluded', { [SECRETS_LABEL]: 'enabled' }, true]
  ] as const)
    it(`ask about certificates ${asked ? 'in' : 'nowhere in'} ${name} with ${JSON.stringify(labels)}`, () => {
      const all = { ...labels, 'kubernetes.io/metadata.name': name }
      assert.equal(matches(certificates['namespaceSelector'], all), asked)
    })

  it('ask about certificates of creations alone that name containers, again after others, whatever the label for proxies', () => {
    assert.deepEqual(at('/certificates').length, 1)
    const { matchConditions, rules, reinvocationPolicy, objectSelector } = certificates
    assert.deepEqual(matchConditions, [
      {
        name: 'names-containers',
        expression: `has(object.metadata.annotations) && '${CERTIFICATES_ANNOTATION}' in object.metadata.annotations`
      }
    ])
    assert.deepEqual(rules, [
      { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'], scope: 'Namespaced' }
    ])
    assert.deepEqual([reinvocationPolicy, objectSelector], ['IfNeeded', undefined])
  })
})

/** Source: Kubernetes, apimachinery, LabelSelectorAsSelector: NotIn also selects what lacks the key. */
function matches({ matchExpressions }: Manifest, labels: Readonly<Record<string, string>>): boolean {
  return matchExpressions.every(({ key, operator, values }: Manifest) => {
    const value = labels[key]
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      default:
        return assert.fail(`unknown operator ${operator}`)
    }
  })
}

describe('the definitions of policies', () => {
  const definitions = manifests.filter(({ kind }) => kind === 'CustomResourceDefinition')
  const kinds = definitions.map(({ spec }) => `${spec.group}/${spec.names.kind}`)

  it('are those of Istio and ours', () => {
    assert.deepEqual(kinds.sort(), [
      'countersign.dev/EndUserAuthentication',
      'security.istio.io/PeerAuthentication',
      'security.istio.io/RequestAuthentication'
    ])
  })

  for (const { metadata, spec } of definitions) {
    it(`stay when the chart goes: ${metadata.name}`, () => {
      assert.equal(metadata.annotations['helm.sh/resource-policy'], 'keep')
    })

    it(`serve every version and store v1: ${metadata.name}`, () => {
      assert.equal(metadata.name, `${spec.names.plural}.${spec.group}`)
      const versions = spec.group === 'security.istio.io' ? ['v1', 'v1beta1'] : ['v1']
      assert.deepEqual(
        spec.versions.map(({ name, served, storage, subresources }: Manifest) => [name, served, storage, subresources]),
        versions.map(name => [name, true, name === 'v1', { status: {} }])
      )
      for (const { schema } of spec.versions) assert.deepEqual(schema, spec.versions[0].schema)
    })

    it(`are asked of the webhook and followed by the authority: ${metadata.name}`, () => {
      const { webhooks } = find(manifests, 'ValidatingWebhookConfiguration', 'countersign-webhook')
      const served = spec.versions.map(({ name }: Manifest) => name)
      const asked = webhooks[0].rules.filter(
        ({ apiGroups, apiVersions, resources }: Manifest) =>
          apiGroups.includes(spec.group) &&
          served.every((version: string) => apiVersions.includes(version)) &&
          resources.includes(spec.names.plural)
      )
      assert.equal(asked.length, 1)
      const { rules } = find(manifests, 'ClusterRole', 'countersign-authority')
      const followed = rules.filter(
        ({ apiGroups, resources, verbs }: Manifest) =>
          apiGroups?.includes(spec.group) && resources.includes(spec.names.plural) && verbs.includes('watch')
      )
      assert.equal(followed.length, 1)
    })
  }

  it('can be left out', () => {
    const without = render({ values: { crds: { enabled: false } } })
    assert.ok(!without.some(({ kind }) => kind === 'CustomResourceDefinition'))
    assert.equal(without.length, manifests.length - definitions.length)
  })
})

describe('uninstalling', () => {
  const hooks = manifests.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined)
  const eventsOf = (list: readonly Manifest[]): Set<string> =>
    new Set(list.map(({ metadata }) => `${metadata.name} ${metadata.annotations['helm.sh/hook']}`))

  it('checks before, deletes after, and leaves nothing of that behind', () => {
    assert.deepEqual(
      eventsOf(hooks),
      new Set(['countersign-uninstall-check pre-delete', 'countersign-uninstall-delete-state post-delete'])
    )
    assert.equal(hooks.length, 10)
    for (const { kind, metadata } of hooks) {
      const { 'helm.sh/hook-delete-policy': policy, 'helm.sh/hook-weight': weight } = metadata.annotations
      assert.equal(policy, 'before-hook-creation,hook-succeeded')
      assert.equal(weight, kind === 'Job' ? '0' : '-1', 'the Job comes last')
    }
  })

  it('runs each step only where values say so', () => {
    const without = render({ values: { uninstall: { refuseWhileInUse: false, deleteState: false } } })
    assert.equal(without.length, manifests.length - hooks.length)
  })

  it('deletes what it may delete', () => {
    const [{ args }] = podOf(find(manifests, 'Job', 'countersign-uninstall-delete-state'))['containers']
    assert.deepEqual(args, [
      'delete',
      `/api/v1/namespaces/${NAMESPACE}/secrets/countersign-root`,
      `/api/v1/namespaces/${NAMESPACE}/secrets/countersign-webhook-ca`,
      `/api/v1/namespaces/${NAMESPACE}/configmaps/countersign-bundle`,
      `/api/v1/namespaces/${NAMESPACE}/configmaps/countersign-key-sets`,
      `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/countersign-authority`
    ])
  })
})

describe('the floor', () => {
  const programs = ['webhook', 'authority'] as const
  const templateOf = (list: readonly Manifest[], program: string): Manifest =>
    find(list, 'Deployment', `countersign-${program}`)['spec'].template

  it('is no object, no volume and no argument where it has no rule', () => {
    for (const floor of [{}, { namespaces: { shop: {} } }, { namespaces: { shop: { injection: false } } }]) {
      const list = render({ values: { floor } })
      assert.ok(!list.some(({ metadata }) => metadata.name === 'countersign-floor'))
      for (const program of programs) assert.doesNotMatch(JSON.stringify(templateOf(list, program)), /floor/)
    }
  })

  const floor = { mesh: { mutualTls: true }, namespaces: { shop: { injection: true, endUserChecks: true } } }
  const list = render({ values: { floor } })

  it('is what the programs read, and understand', () => {
    const text = find(list, 'ConfigMap', 'countersign-floor')['data']['floor.json']
    const parsed = parseFloor(text)
    assert.ok(parsed.ok, JSON.stringify(parsed))
    assert.deepEqual(floorOf(parsed.floor, 'shop'), { mutualTls: true, injection: true, endUserChecks: true })
    assert.deepEqual(floorOf(parsed.floor, 'bank'), { mutualTls: true, injection: false, endUserChecks: false })
  })

  for (const program of programs)
    it(`is mounted where ${program} reads it, beside what else is mounted`, () => {
      const values = {
        floor,
        tokenIssuers: { rootsConfigMap: 'issuers' },
        webhook: { certificate: { secret: 'mine', caBundle: 'PEM' } }
      }
      for (const [manifests, volumes] of [
        [list, 1],
        [render({ values }), 2]
      ] as const) {
        const { spec } = templateOf(manifests, program)
        const [{ args, volumeMounts }] = spec.containers
        const [argument = ''] = args.filter((text: string) => text.startsWith('--floor='))
        const mount = volumeMounts.find(({ name }: Manifest) => name === 'floor')
        assert.equal(argument, `--floor=${mount.mountPath}/floor.json`)
        assert.equal(spec.volumes.length, volumes)
        const volume = spec.volumes.find(({ name }: Manifest) => name === 'floor')
        assert.equal(volume.configMap.name, 'countersign-floor')
      }
    })

  it('starts webhook and authority again when it changes, and no agent', () => {
    const other = render({ values: { floor: { mesh: { mutualTls: true } } } })
    const annotationsOf = (manifests: readonly Manifest[], program: string) =>
      templateOf(manifests, program)['metadata'].annotations
    for (const program of programs) assert.notDeepEqual(annotationsOf(list, program), annotationsOf(other, program))
    const agent = (manifests: readonly Manifest[]) => find(manifests, 'DaemonSet', 'countersign-agent')
    assert.deepEqual(agent(list), agent(render()))
  })
})
