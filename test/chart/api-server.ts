import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Outcome, outcomeOf } from '../cluster/run.ts'
import { until } from '../cluster/until.ts'
import { freePort } from '../free-port.ts'
import { toolFile } from './tool.ts'

const ADDRESS = '127.83.81.1'
const TOKEN = 'administrator'
const READY_MS = 180_000

/** A real API server with its store, and nothing else of a cluster: no node, no controller. */
export interface ApiServer {
  kubectl(args: readonly string[], object?: object): Promise<Outcome>
  /** One request as it is, by the administrator, or by a user whom the administrator impersonates. */
  send(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
    user?: string
  ): Promise<{ status: number; body: string }>
  stop(): Promise<void>
}

/** Stopped by its caller. */
export async function startApiServer(): Promise<ApiServer> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-api-'))
  const started: ChildProcess[] = []
  // The programs are one file, which looks at what it is called with.
  const kube = join(folder, 'kube')
  symlinkSync(toolFile('kube'), kube)
  const run = (program: string, ...args: readonly string[]): void => {
    const child = spawn(kube, [program, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const log = createWriteStream(join(folder, `${program}.log`))
    child.stdout.pipe(log)
    child.stderr.pipe(log)
    started.push(child)
  }
  const stop = async (): Promise<void> => {
    for (const child of started.reverse())
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    rmSync(folder, { recursive: true, maxRetries: 5 })
  }
  try {
    const [store, peers, port] = [await freePort(ADDRESS), await freePort(ADDRESS), await freePort(ADDRESS)]
    const at = (number: number): string => `http://${ADDRESS}:${number}`
    const file = (name: string): string => join(folder, name)
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(file('tokens.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(file('tokens.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(file('users.csv'), `${TOKEN},administrator,1,system:masters\n`)
    run(
      'etcd',
      `--data-dir=${file('store')}`,
      `--listen-client-urls=${at(store)}`,
      `--advertise-client-urls=${at(store)}`,
      `--listen-peer-urls=${at(peers)}`,
      `--initial-advertise-peer-urls=${at(peers)}`,
      `--initial-cluster=default=${at(peers)}`,
      '--unsafe-no-fsync'
    )
    run(
      'kube-apiserver',
      `--etcd-servers=${at(store)}`,
      `--cert-dir=${file('certificates')}`,
      `--bind-address=${ADDRESS}`,
      // It is told to nobody: this one may not be loopback.
      '--advertise-address=192.0.2.1',
      `--secure-port=${port}`,
      `--token-auth-file=${file('users.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('tokens.pub')}`,
      `--service-account-signing-key-file=${file('tokens.key')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--authorization-mode=RBAC'
    )
    writeFileSync(file('kubeconfig'), JSON.stringify(kubeconfig(port)))
    const kubectl: ApiServer['kubectl'] = (args, object) =>
      outcomeOf(kube, ['kubectl', '--kubeconfig', file('kubeconfig'), '--cache-dir', file('cache'), ...args], {
        ...(object === undefined ? {} : { input: JSON.stringify(object) })
      })
    const ready = async (): Promise<true | undefined> =>
      (await kubectl(['get', '--raw', '/readyz'])).code === 0 || undefined
    await until(ready, READY_MS, () => new Error(`no API server: ${readFileSync(file('kube-apiserver.log'), 'utf8')}`))
    const send: ApiServer['send'] = (method, path, body, contentType = 'application/json', user) =>
      new Promise((resolve, reject) => {
        const impersonated = user === undefined ? {} : { 'impersonate-user': user }
        const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': contentType, ...impersonated }
        const asked = request(
          { host: ADDRESS, port, method, path, headers, rejectUnauthorized: false },
          async response => {
            let text = ''
            for await (const chunk of response) text += chunk
            resolve({ status: response.statusCode ?? 0, body: text })
          }
        )
        asked.once('error', reject)
        asked.end(body === undefined ? undefined : JSON.stringify(body))
      })
    return { kubectl, send, stop }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

const kubeconfig = (port: number): object => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `https://${ADDRESS}:${port}`, 'insecure-skip-tls-verify': true } }],
  users: [{ name: 'u', user: { token: TOKEN } }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'x'
})
