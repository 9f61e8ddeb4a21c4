import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CONTROL, NETWORK, nodeName } from '../settings.ts'
import {
  apiServerArguments,
  cniConfig,
  containerdConfig,
  controllerArguments,
  corefile,
  dnsObjects,
  etcdArguments,
  kubeconfig,
  kubeletConfig,
  kubeProxyConfig,
  LINK_PLUGIN,
  linkPlugin,
  schedulerArguments
} from './index.ts'

const node = nodeName(1)
const pki = (name: string): string => `/pki/${name}`

describe('the configuration of a node', () => {
  it('gives its pods addresses of its own subnets, one of either family, each over a link of its own', () => {
    const [link, ports] = JSON.parse(cniConfig(node, '/addresses')).plugins
    assert.equal(link.type, LINK_PLUGIN)
    assert.match(linkPlugin('/usr/lib/cni'), /\nexec \/usr\/lib\/cni\/ptp\n$/)
    assert.deepEqual(link.ipam.ranges, [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:10:244:1::/64' }]])
    assert.equal(link.ipam.dataDir, '/addresses')
    assert.deepEqual(ports, { type: 'portmap', capabilities: { portMappings: true } })
  })

  it('keeps containerd to the files of the node', () => {
    const paths = {
      root: '/c/node1/containerd',
      socket: '/run/containerd/containerd.sock',
      cniPlugins: '/usr/lib/cni',
      cniConfig: '/c/node1/cni',
      pauseImage: 'pause:1'
    }
    const lines = containerdConfig(paths, node).split('\n')
    for (const line of [
      'version = 2',
      'root = "/c/node1/containerd"',
      'state = "/run/containerd"',
      '  address = "/run/containerd/containerd.sock"',
      '  sandbox_image = "pause:1"',
      '    bin_dir = "/usr/lib/cni"',
      '    conf_dir = "/c/node1/cni"'
    ])
      assert.ok(lines.includes(line), line)
  })

  it('lets the kubelet believe the API server only, and limit pods below the cgroup of the node', () => {
    const paths = {
      authority: 'ca',
      certificate: 'crt',
      key: 'key',
      containerdSocket: '/s',
      resolvConf: '/resolv.conf'
    }
    const config = JSON.parse(kubeletConfig(node, paths))
    assert.deepEqual(config.authentication.anonymous, { enabled: false })
    assert.equal(config.authorization.mode, 'Webhook')
    assert.equal(config.cgroupRoot, '/countersign-node1')
    assert.equal(config.containerRuntimeEndpoint, 'unix:///s')
    assert.deepEqual(config.clusterDNS, [NETWORK.dnsService])
  })

  it('has Services by iptables, under the name of the node', () => {
    const config = JSON.parse(kubeProxyConfig(node, '/proxy.kubeconfig'))
    assert.deepEqual([config.mode, config.hostnameOverride], ['iptables', 'node1'])
    assert.equal(config.conntrack.maxPerCore, 0, 'a limit of the whole machine is left alone')
  })
})

describe('the configuration of the control plane', () => {
  it('signs account tokens with the key that the API server verifies them by', () => {
    assert.ok(apiServerArguments(pki).includes('--service-account-signing-key-file=/pki/tokens.key'))
    assert.ok(apiServerArguments(pki).includes('--service-account-key-file=/pki/tokens.pub'))
    assert.ok(controllerArguments(pki).includes('--service-account-private-key-file=/pki/tokens.key'))
  })

  it('authorizes everybody, nodes for what is theirs only', () => {
    assert.ok(apiServerArguments(pki).includes('--authorization-mode=Node,RBAC'))
    assert.ok(apiServerArguments(pki).includes('--enable-admission-plugins=NodeRestriction'))
  })

  it('gives every flag once', () => {
    for (const args of [
      etcdArguments('/etcd'),
      apiServerArguments(pki),
      controllerArguments(pki),
      schedulerArguments(pki)
    ]) {
      const flags = args.map(argument => argument.split('=')[0])
      assert.equal(new Set(flags).size, flags.length)
      assert.ok(flags.every(flag => flag?.startsWith('--')))
    }
  })

  it('answers DNS on the address that the Service of DNS leads to', () => {
    assert.match(corefile('/kubeconfig'), new RegExp(`bind ${CONTROL.address}\n`))
    const text = JSON.stringify(dnsObjects())
    assert.ok(text.includes(`"clusterIP":"${NETWORK.dnsService}"`))
    assert.ok(text.includes(`"addresses":["${CONTROL.address}"]`))
  })

  it('writes a kubeconfig that needs no other file', () => {
    const parts = {
      server: 'https://s',
      authority: Buffer.from('a'),
      certificate: Buffer.from('c'),
      key: Buffer.from('k')
    }
    const config = JSON.parse(kubeconfig(parts))
    const [{ context }] = config.contexts
    assert.equal(config.contexts[0].name, config['current-context'])
    assert.equal(config.clusters[0].name, context.cluster)
    assert.equal(config.users[0].name, context.user)
    assert.equal(Buffer.from(config.users[0].user['client-key-data'], 'base64').toString(), 'k')
    assert.doesNotMatch(JSON.stringify(config), /"(client-key|client-certificate|certificate-authority)":/)
  })
})
