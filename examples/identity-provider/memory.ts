import type { Adapter, AdapterPayload } from 'oidc-provider'

/** Where a provider keeps sessions, codes and grants: in this process, for as long as they hold. */
export function memory(): (model: string) => Adapter {
  const entries = new Map<string, { readonly payload: AdapterPayload; readonly expiresAt: number }>()
  const find = (key: string): AdapterPayload | undefined => {
    const entry = entries.get(key)
    if (entry !== undefined && entry.expiresAt <= Date.now()) entries.delete(key)
    return entries.get(key)?.payload
  }
  const first = (model: string, matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined =>
    [...entries.keys()]
      .filter(key => key.startsWith(`${model}:`))
      .map(find)
      .find(payload => payload !== undefined && matches(payload))
  return model => ({
    async upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000
      entries.set(`${model}:${id}`, { payload, expiresAt })
    },
    find: async id => find(`${model}:${id}`),
    findByUid: async uid => first(model, payload => payload.uid === uid),
    findByUserCode: async userCode => first(model, payload => payload.userCode === userCode),
    async consume(id) {
      const payload = find(`${model}:${id}`)
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      entries.delete(`${model}:${id}`)
    },
    async revokeByGrantId(grantId) {
      for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key)
    }
  })
}
