import type { Cluster } from '../index.ts'

/** How many requests the API server has answered, by verb and resource: `PATCH secrets`, `PATCH namespaces/status`. */
export type ApiRequests = ReadonlyMap<string, number>

/** Source: Kubernetes, apiserver_request_total. */
export async function apiRequests(cluster: Cluster): Promise<ApiRequests> {
  const metrics = await cluster.kubectl(['get', '--raw', '/metrics'])
  const counts = new Map<string, number>()
  for (const [, labels = '', value] of metrics.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? ''
    const [verb, resource, subresource] = ['verb', 'resource', 'subresource'].map(label)
    const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`
    counts.set(what, (counts.get(what) ?? 0) + Number(value))
  }
  return counts
}

/** Those in between that are about one of these resources, such as `namespaces/status`; as a phrase. */
export function requestsBetween(before: ApiRequests, after: ApiRequests, resources: readonly string[]): string {
  return [...after]
    .map(([what, count]) => [what, count - (before.get(what) ?? 0)] as const)
    .filter(([what, count]) => count > 0 && resources.includes(what.split(' ')[1] ?? ''))
    .map(([what, count]) => `${count} ${what}`)
    .sort()
    .join(', ')
}
