import { generateKeyPairSync } from 'node:crypto'
import { until } from '../../cli/local/index.ts'
import { SECRET_KEYS, SECRET_TYPE, SECRETS_LABEL, secretNameOf } from '../../shared/certificate-secrets/index.ts'
import type { Cluster } from '../cluster/index.ts'
import { apiRequests } from '../cluster/suite/api-requests.ts'
import type { Benchmark, FigureRow } from './benchmark.ts'
import { type Change, ClusterApi } from './cluster-api.ts'
import { newCluster } from './cluster-mesh.ts'
import { formatFigure } from './table.ts'

const ACCOUNTS = 200
const NAMESPACE = 'bench-secrets'
const SYSTEM = 'countersign-system'
const DEADLINE_MS = 180_000
const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`
const ACCOUNT_KEY = 'countersign.dev/certificate-key'

interface NamedObject {
  readonly metadata: { readonly name: string }
}

/** Many service accounts appear at once; the time until each has its Secret, and what that costs. */
export const certificateSecrets: Benchmark = {
  name: 'certificate-secrets',
  measured: `from ${ACCOUNTS} service accounts that appear together to a Secret with a certificate for each`,
  peer: 'the same number of Secrets of the same size, written one after another by a client that does nothing else',
  needsCluster: true,
  async run(atEnd) {
    const labels = { [SECRETS_LABEL]: 'enabled' }
    const cluster = await newCluster(atEnd, {
      before: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } }],
      chart: ['--set', `certificateSecrets.namespaces={${NAMESPACE}}`]
    })
    const api = await ClusterApi.open(cluster, atEnd)
    const heard = new Map<string, number>()
    const onChange = ({ object, heardAt }: Change<NamedObject>): void => {
      if (!heard.has(object.metadata.name)) heard.set(object.metadata.name, heardAt)
    }
    await api.watch<NamedObject>(SECRETS, onChange, atEnd)
    // What is there anyhow is no part of it: the account of every namespace.
    await until('the Secret of the account default', () => heard.get('countersign.default'))

    const bench = { cluster, api, heard }
    return {
      columns: ['first ms', 'all s', 'Secrets/s', 'CPU of the authority, ms each', 'requests of it each'],
      rows: [
        await issued(bench, 'ecdsa-p256'),
        await issued(bench, 'rsa-2048'),
        await written(bench, 'a client that only writes')
      ]
    }
  }
}

interface Bench {
  readonly cluster: Cluster
  readonly api: ClusterApi
  /** When the Secret of a name was heard of first. */
  readonly heard: ReadonlyMap<string, number>
}

async function issued({ cluster, api, heard }: Bench, key: string): Promise<FigureRow> {
  const names = Array.from({ length: ACCOUNTS }, (_, index) => `${key}-${index}`)
  const [requests, cpu] = [await secretRequests(cluster), await authorityCpuMs(api)]
  const began = performance.now()
  for (const name of names) {
    const metadata = { name, annotations: { [ACCOUNT_KEY]: key } }
    await api.call('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata })
  }
  const took = await allHeard(
    heard,
    names.map(name => secretNameOf(name) ?? ''),
    began
  )
  const cells = [
    formatFigure(((await authorityCpuMs(api)) - cpu) / ACCOUNTS),
    formatFigure(((await secretRequests(cluster)) - requests) / ACCOUNTS)
  ]
  return rowOf(`${ACCOUNTS} accounts, ${key}`, took, cells)
}

async function written({ api, heard }: Bench, name: string): Promise<FigureRow> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const data = {
    [SECRET_KEYS.key]: pem.toString('base64'),
    [SECRET_KEYS.chain]: Buffer.alloc(1_000, 'x').toString('base64'),
    [SECRET_KEYS.roots]: Buffer.alloc(700, 'x').toString('base64')
  }
  const names = Array.from({ length: ACCOUNTS }, (_, index) => `written-${index}`)
  const began = performance.now()
  for (const one of names) await api.call('POST', SECRETS, { metadata: { name: one }, type: SECRET_TYPE, data })
  return rowOf(name, await allHeard(heard, names, began), ['', ''])
}

/** When each was heard of, in milliseconds after `began`. */
async function allHeard(heard: Bench['heard'], names: readonly string[], began: number): Promise<number[]> {
  const all = (): true | undefined => names.every(name => heard.has(name)) || undefined
  await until(`${names.length} Secrets`, all, { timeoutMs: DEADLINE_MS })
  return names.map(name => (heard.get(name) ?? Number.NaN) - began)
}

function rowOf(name: string, took: readonly number[], cells: readonly string[]): FigureRow {
  const lastMs = Math.max(...took)
  const rate = took.length / (lastMs / 1_000)
  return { name, cells: [formatFigure(Math.min(...took)), formatFigure(lastMs / 1_000), formatFigure(rate), ...cells] }
}

/** Requests that wrote a Secret or read one by its name, whoever made them. */
async function secretRequests(cluster: Cluster): Promise<number> {
  const counts = await apiRequests(cluster)
  const verbs = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE']
  return verbs.reduce((sum, verb) => sum + (counts.get(`${verb} secrets`) ?? 0), 0)
}

/** Of all replicas together, from their metrics. */
async function authorityCpuMs(api: ClusterApi): Promise<number> {
  const pods = `/api/v1/namespaces/${SYSTEM}/pods`
  const list = await api.call('GET', `${pods}?labelSelector=app.kubernetes.io%2Fcomponent%3Dauthority`)
  const { items } = JSON.parse(list) as { items: NamedObject[] }
  const seconds = items.map(async ({ metadata: { name } }) => {
    const metrics = await api.call('GET', `${pods}/${name}:15014/proxy/metrics`)
    return Number(/^process_cpu_seconds_total (\S+)$/m.exec(metrics)?.[1] ?? Number.NaN)
  })
  return (await Promise.all(seconds)).reduce((sum, value) => sum + value, 0) * 1_000
}
