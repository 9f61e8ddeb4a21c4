import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Operation } from 'fast-json-patch'
import { parseOptions } from '../../shared/config/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { startWebhook } from '../../webhook/app.ts'
import { WEBHOOK_OPTIONS } from '../../webhook/options.ts'

/** What the webhook answers: `response` of an AdmissionReview, reduced to what tests look at. */
export interface Admission {
  readonly allowed: boolean
  readonly patched: boolean
  /** RFC 6902. */
  readonly patch: readonly Operation[]
  /** Of a refusal. */
  readonly message: string
}

/** A real webhook, asked over HTTPS as the API server asks it. Stopped by its caller. */
export interface WebhookDoor {
  create(path: '/inject' | '/validate', object: object, namespace?: string): Promise<Admission>
  update(path: '/inject' | '/validate', object: object, oldObject: object): Promise<Admission>
  stop(): Promise<void>
}

const NAME = 'countersign-webhook.countersign-system.svc'

/** @param floor the text of its floor; absent: none */
export async function openWebhook(floor?: string): Promise<WebhookDoor> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-attack-'))
  const [bundle, file] = [join(folder, 'ca.pem'), join(folder, 'floor.yaml')]
  if (floor !== undefined) writeFileSync(file, floor)
  const argv = [
    ...['--listen-address=127.0.0.1:0', '--health-address=127.0.0.1:0', '--shutdown-delay=0s'],
    ...[`--ca-bundle-file=${bundle}`, ...(floor === undefined ? [] : [`--floor=${file}`])]
  ]
  const webhook = await startWebhook(parseOptions(WEBHOOK_OPTIONS, argv, {}), createLogger('webhook', 'fatal'))
  const agent = new Agent({ ca: readFileSync(bundle), servername: NAME, keepAlive: true })
  let asked = 0

  const ask = async (path: string, review: object): Promise<Admission> => {
    const body = JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { uid: `u${asked++}`, ...review }
    })
    const { host, port } = webhook.address
    const text = await post(`https://${host}:${port}${path}`, body, agent)
    const { response } = JSON.parse(text)
    const patch = response.patch === undefined ? '[]' : Buffer.from(response.patch, 'base64').toString()
    return {
      allowed: response.allowed,
      patched: response.patch !== undefined,
      patch: JSON.parse(patch),
      message: response.allowed ? '' : response.status.message
    }
  }
  return {
    create: (path, object, namespace = 'shop') =>
      ask(path, { kind: kindOf(object), operation: 'CREATE', namespace, object, oldObject: null }),
    update: (path, object, oldObject) =>
      ask(path, { kind: kindOf(object), operation: 'UPDATE', namespace: 'shop', object, oldObject }),
    async stop() {
      agent.destroy()
      await webhook.close()
      rmSync(folder, { recursive: true })
    }
  }
}

function kindOf(object: object): object {
  const { apiVersion = 'v1', kind = 'Pod' } = object as { apiVersion?: string; kind?: string }
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  return { group, version, kind }
}

function post(url: string, body: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const outgoing = request(url, { method: 'POST', agent, headers }, incoming => {
      const chunks: Buffer[] = []
      incoming.on('data', chunk => chunks.push(chunk))
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (incoming.statusCode === 200) resolve(text)
        else reject(new Error(`the webhook answered ${incoming.statusCode}: ${text}`))
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
