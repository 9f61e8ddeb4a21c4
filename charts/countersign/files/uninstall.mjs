// What `helm uninstall` runs in the cluster, with nothing but Node.js.
//
//   node uninstall.mjs check               ends with 3, and says what to do, while pods have a volume of our CSI driver:
//                                          without the driver the kubelet cannot take it from them, and they hang
//   node uninstall.mjs delete PATH…        deletes objects by their paths in the API; one that is gone counts as deleted
//
// In: the variables that Kubernetes gives to every container, and the token of the service account in TOKEN_FILE. The
// root of the API server's certificate comes by NODE_EXTRA_CA_CERTS.

import { readFileSync } from 'node:fs'

const DRIVER = 'csi.countersign.dev'
const LABEL = 'countersign.dev/inject'

const EXIT = { failed: 1, refused: 3 }

const PAGE = 500
const TIMEOUT_MS = 10_000
const MOST_NAMES = 5

// Containers of these have ended, and their volumes with them.
const ENDED = ['Succeeded', 'Failed']

// biome-ignore lint/style/noProcessEnv: it runs alone, without the room that reads options
const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443', TOKEN_FILE = '' } = process.env
const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`

/** The answer as an object; undefined when there is nothing to delete. */
async function call(path, method = 'GET') {
  const headers = { authorization: `Bearer ${readFileSync(TOKEN_FILE, 'utf8').trim()}`, accept: 'application/json' }
  const response = await fetch(server + path, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (response.status === 404 && method === 'DELETE') return undefined
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}: ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/** All objects of a list, page by page. */
async function* list(path) {
  let next = ''
  do {
    const page = await call(`${path}?limit=${PAGE}&continue=${encodeURIComponent(next)}`)
    yield* page.items
    next = page.metadata.continue ?? ''
  } while (next !== '')
}

const isInUse = ({ spec, status }) =>
  !ENDED.includes(status?.phase) && (spec?.volumes ?? []).some(({ csi }) => csi?.driver === DRIVER)

async function check() {
  const byNamespace = new Map()
  for await (const pod of list('/api/v1/pods')) {
    const { namespace, name } = pod.metadata
    if (isInUse(pod)) byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), name])
  }
  if (byNamespace.size === 0) return
  process.exitCode = EXIT.refused
  console.error(refusal([...byNamespace].sort(([a], [b]) => (a < b ? -1 : 1))))
}

function refusal(namespaces) {
  const count = namespaces.reduce((sum, [, names]) => sum + names.length, 0)
  const shown = namespaces.map(([namespace, names]) => {
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ''
    return `  ${namespace}: ${names.slice(0, MOST_NAMES).join(', ')}${more}`
  })
  const commands = namespaces.flatMap(([namespace]) => [
    `  kubectl label namespace ${namespace} ${LABEL}-`,
    `  kubectl rollout restart deployment,statefulset,daemonset --namespace ${namespace}`
  ])
  return [
    `Countersign is not uninstalled: ${count === 1 ? '1 pod has' : `${count} pods have`} a proxy.`,
    'Without Countersign on their nodes, pods with a proxy can neither start nor be deleted:',
    ...shown,
    'Stop injecting and replace these pods. Where pods carry the label themselves, take it out of their templates; pods',
    'that no controller replaces have to be deleted:',
    ...commands,
    'Then run helm uninstall again. To keep Countersign instead, run helm rollback with the revision that helm history shows.'
  ].join('\n')
}

async function remove(paths) {
  for (const path of paths) {
    const found = await call(path, 'DELETE')
    console.log(`${path}: ${found === undefined ? 'is not there' : 'deleted'}`)
  }
}

const [command, ...paths] = process.argv.slice(2)
try {
  if (command === 'check') await check()
  else if (command === 'delete') await remove(paths)
  else throw new Error(`expected check or delete, got ${command}`)
} catch (thrown) {
  console.error(thrown.cause ? `${thrown.message}: ${thrown.cause.message}` : thrown.message)
  process.exitCode = EXIT.failed
}
