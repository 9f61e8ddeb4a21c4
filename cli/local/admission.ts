import { randomUUID } from 'node:crypto'
import { request } from 'node:https'
import type { V1Pod } from '@kubernetes/client-node'
import jsonpatch from 'fast-json-patch'
import type { LocalPod } from './pod.ts'

interface AdmissionResponse {
  readonly allowed: boolean
  readonly patch?: string
  readonly warnings?: readonly string[]
  readonly status?: { readonly message?: string }
}

/** The AdmissionReview of the creation of a pod, as the API server sends it (admission.k8s.io/v1). */
export function admissionReview(pod: LocalPod): object {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      name: pod.name,
      namespace: pod.namespace,
      operation: 'CREATE',
      userInfo: { username: 'countersign-local' },
      object: createdObject(pod),
      oldObject: null,
      dryRun: false,
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' }
    }
  }
}

/**
 * Plays the API server's part in admission: asks the webhook about a new pod and applies the JSON patch (RFC 6902)
 * that it answers with.
 *
 * @param webhook - `host:port`
 * @param ca - PEM: what a MutatingWebhookConfiguration would hold as caBundle
 * @throws Error with the webhook's own message when it refuses the pod
 */
export async function admit(webhook: string, ca: string, serverName: string, pod: LocalPod): Promise<V1Pod> {
  const answer = await post(webhook, ca, serverName, JSON.stringify(admissionReview(pod)))
  const { response } = JSON.parse(answer) as { response: AdmissionResponse }
  if (!response.allowed)
    throw new Error(`the webhook refused pod ${pod.name}: ${response.status?.message ?? 'without a reason'}`)
  const patch = response.patch === undefined ? [] : JSON.parse(Buffer.from(response.patch, 'base64').toString())
  const patched = jsonpatch.applyPatch(structuredClone(createdObject(pod)), patch, true, false).newDocument
  return { ...patched, ...(pod.manifest.status === undefined ? {} : { status: pod.manifest.status }) }
}

/** The pod as it was asked for: what became of it is not known yet. */
function createdObject({ manifest: { status: _, ...created } }: LocalPod): V1Pod {
  return created
}

function post(address: string, ca: string, servername: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const outgoing = request(
      `https://${address}/inject`,
      { method: 'POST', ca, servername, headers, timeout: 10_000 },
      incoming => {
        const chunks: Buffer[] = []
        incoming.on('data', chunk => chunks.push(chunk))
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (incoming.statusCode === 200) resolve(text)
          else reject(new Error(`the webhook answered ${incoming.statusCode}: ${text.slice(0, 500)}`))
        })
      }
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error('the webhook did not answer within 10 s')))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
