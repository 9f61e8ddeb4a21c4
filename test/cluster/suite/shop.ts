import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { V1Pod } from '@kubernetes/client-node'
import type { Cluster } from '../index.ts'

const EXAMPLES = join(import.meta.dirname, '../../../examples')

/** The part of a Pod that the suite looks at. */
export interface PodSeen {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly spec: {
    readonly nodeName: string
    readonly containers: readonly { readonly name: string }[]
    readonly initContainers?: readonly { readonly name: string }[]
    readonly volumes?: readonly { readonly name: string }[]
  }
  readonly status: { readonly podIP: string; readonly phase: string }
}

export async function applyExample(
  cluster: Cluster,
  path: string,
  replace: (yaml: string) => string = yaml => yaml
): Promise<void> {
  const yaml = await readFile(join(EXAMPLES, path), 'utf8')
  await cluster.kubectl(['apply', '-f', '-'], { input: replace(yaml) })
}

export async function deleteExample(cluster: Cluster, path: string): Promise<void> {
  await cluster.kubectl(['delete', '--wait=true', '-f', join(EXAMPLES, path)])
}

export async function podsOf(cluster: Cluster, namespace: string, app: string): Promise<readonly PodSeen[]> {
  const { items } = JSON.parse(
    await cluster.kubectl(['get', 'pods', '-n', namespace, '-l', `app=${app}`, '-o', 'json'])
  ) as {
    items: PodSeen[]
  }
  return items
}

/** The one pod of an example, which is Ready. */
export async function readyPod(cluster: Cluster, namespace: string, app: string): Promise<PodSeen> {
  await cluster.kubectl(['rollout', 'status', '-n', namespace, `deployment/${app}`, '--timeout=120s'])
  const [pod] = await podsOf(cluster, namespace, app)
  if (pod === undefined) throw new Error(`there is no pod of ${app} in ${namespace}`)
  return pod
}

/** What an application of the examples saw of a call. */
export interface Seen {
  readonly status: number
  readonly clientCertificate: string | null
}

/** What came back to an application of the examples, or how its call failed. */
export type Answered = { readonly status: number; readonly body: string } | string

/** One call by the application container of a pod, made by the Node.js in it. */
export async function answerTo(
  cluster: Cluster,
  namespace: string,
  app: string,
  url: string,
  headers: Readonly<Record<string, string>> = {}
): Promise<Answered> {
  const script = `fetch(${JSON.stringify(url)}, { headers: ${JSON.stringify(headers)} })
    .then(async answer => ({ status: answer.status, body: await answer.text() }))
    .catch(error => ({ failed: error.cause?.code ?? error.message }))
    .then(result => console.log(JSON.stringify(result)))`
  const target = ['-n', namespace, `deployment/${app}`, '-c', app]
  const output = await cluster.kubectl(['exec', ...target, '--', 'node', '-e', script])
  const result = JSON.parse(output) as { status: number; body: string } | { failed: string }
  return 'failed' in result ? result.failed : result
}

/** The same, of an application of the examples: what that saw of the call. */
export async function callFrom(...call: Parameters<typeof answerTo>): Promise<Seen | string> {
  const answer = await answerTo(...call)
  if (typeof answer === 'string') return answer
  const { status, body } = answer
  const clientCertificate =
    status === 200 ? (JSON.parse(body) as { clientCertificate: string | null }).clientCertificate : null
  return { status, clientCertificate }
}

export interface LoadResult {
  readonly answered: number
  readonly failures: readonly string[]
}

const loadScript = (url: string, seconds: number): string => `(async () => {
  const failures = []
  let answered = 0
  for (const end = Date.now() + ${seconds * 1_000}; Date.now() < end; await new Promise(resolve => setTimeout(resolve, 10)))
    await fetch(${JSON.stringify(url)})
      .then(async answer => {
        const body = await answer.text()
        if (answer.status === 200) answered++
        else failures.push(answer.status + ' ' + body.slice(0, 200))
      })
      .catch(error => failures.push(String(error.cause ?? error)))
  console.log(JSON.stringify({ answered, failures }))
})()`

/** Calls a URL one after the other over kept-alive connections, from inside a pod, for so long. Nothing is retried. */
export async function loadFrom(
  cluster: Cluster,
  namespace: string,
  app: string,
  url: string,
  seconds: number
): Promise<LoadResult> {
  const target = ['-n', namespace, `deployment/${app}`, '-c', app]
  return JSON.parse(await cluster.kubectl(['exec', ...target, '--', 'node', '-e', loadScript(url, seconds)]))
}

/**
 * The same by a pod of its own, which needs no API server once it runs.
 *
 * @returns a function that waits for its end and tells what it saw
 */
export async function startLoadPod(
  cluster: Cluster,
  pod: V1Pod,
  url: string,
  seconds: number
): Promise<() => Promise<LoadResult>> {
  const [container] = pod.spec?.containers ?? []
  const command = ['node', '-e', loadScript(url, seconds)]
  const spec = { ...pod.spec, restartPolicy: 'Never', containers: [{ ...container, command }] }
  await cluster.apply({ ...pod, spec })
  const target = ['-n', pod.metadata?.namespace ?? '', `pod/${pod.metadata?.name}`]
  await cluster.kubectl(['wait', ...target, '--for=condition=Ready', '--timeout=60s'])
  return async () => {
    await cluster.kubectl(['wait', ...target, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=180s'])
    return JSON.parse(await cluster.kubectl(['logs', ...target, '-c', container?.name ?? '']))
  }
}
