import { generateKeyPair } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { kubeconfig } from './config/index.ts'
import { run } from './run.ts'
import { CONTROL, type Layout, NETWORK, type NodeName, SERVER } from './settings.ts'

const DAYS = '3650'

/** A certificate of the cluster: the name and group that Kubernetes takes for the user, the names it may serve. */
export interface CertificateRequest {
  readonly file: string
  readonly user: string
  readonly group?: string
  readonly servedNames?: readonly string[]
}

/** Every certificate of a cluster, after those of the Kubernetes documentation, "PKI certificates and requirements". */
export function certificateRequests(nodes: readonly NodeName[]): CertificateRequest[] {
  const kubernetes = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${NETWORK.domain}`
  ]
  return [
    {
      file: 'apiserver',
      user: 'kube-apiserver',
      servedNames: [
        ...kubernetes.map(name => `DNS:${name}`),
        'DNS:localhost',
        'IP:127.0.0.1',
        `IP:${NETWORK.kubernetesService}`,
        `IP:${CONTROL.address}`
      ]
    },
    { file: 'kubelet-client', user: 'kube-apiserver-kubelet-client', group: 'system:masters' },
    { file: 'admin', user: 'admin', group: 'system:masters' },
    { file: 'controllers', user: 'system:kube-controller-manager' },
    { file: 'scheduler', user: 'system:kube-scheduler' },
    { file: 'kube-proxy', user: 'system:kube-proxy' },
    ...nodes.map(({ name, address, ipv6Address }) => ({
      file: name,
      user: `system:node:${name}`,
      group: 'system:nodes',
      servedNames: [`DNS:${name}`, `IP:${address}`, `IP:${ipv6Address}`]
    }))
  ]
}

/** What openssl is told of a certificate. Format: openssl-req(1), "CONFIGURATION FILE FORMAT". */
function opensslConfig({ user, group, servedNames = [] }: CertificateRequest): string {
  const lines = [
    '[req]',
    'prompt = no',
    'distinguished_name = subject',
    'x509_extensions = extensions',
    '[subject]',
    ...(group === undefined ? [] : [`O = ${group}`]),
    `CN = ${user}`,
    '[extensions]',
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    'extendedKeyUsage = serverAuth, clientAuth',
    ...(servedNames.length === 0 ? [] : [`subjectAltName = ${servedNames.join(', ')}`])
  ]
  return `${lines.join('\n')}\n`
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** Makes the authority of the cluster, its certificates, a kubeconfig for each user, and the keys of account tokens. */
export async function createPki(layout: Layout, nodes: readonly NodeName[]): Promise<void> {
  const { pki } = layout
  await mkdir(pki('.'), { recursive: true, mode: 0o700 })
  const authority = ['-keyout', pki('ca.key'), '-out', pki('ca.crt')]
  await run('openssl', [
    'req',
    '-x509',
    ...NEW_KEY,
    ...authority,
    '-days',
    DAYS,
    '-subj',
    '/CN=countersign-test-cluster'
  ])
  await Promise.all([
    createTokenKeys(layout),
    ...certificateRequests(nodes).map(request => createCertificate(layout, request))
  ])
}

async function createCertificate(
  { pki, kubeconfig: adminKubeconfig }: Layout,
  request: CertificateRequest
): Promise<void> {
  const [key, certificate, config] = ['key', 'crt', 'cnf'].map(extension => pki(`${request.file}.${extension}`)) as [
    string,
    string,
    string
  ]
  await writeFile(config, opensslConfig(request))
  const signed = ['-CA', pki('ca.crt'), '-CAkey', pki('ca.key'), '-days', DAYS]
  await run('openssl', ['req', '-x509', ...NEW_KEY, '-config', config, ...signed, '-keyout', key, '-out', certificate])
  const text = kubeconfig({
    server: SERVER,
    authority: await readFile(pki('ca.crt')),
    certificate: await readFile(certificate),
    key: await readFile(key)
  })
  await writeFile(pki(`${request.file}.kubeconfig`), text, { mode: 0o600 })
  if (request.file === 'admin') await writeFile(adminKubeconfig, text, { mode: 0o600 })
}

async function createTokenKeys({ pki }: Layout): Promise<void> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  await writeFile(pki('tokens.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await writeFile(pki('tokens.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
}
