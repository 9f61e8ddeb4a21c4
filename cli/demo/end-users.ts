import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Answer, until } from '../local/index.ts'
import { DemoIdentityProvider } from './identity-provider.ts'
import type { Report } from './report.ts'
import type { Shop } from './shop.ts'

const EXAMPLE = 'examples/end-users/orders.yaml'
const EXAMPLE_ISSUER = 'https://accounts.example.com'
const AUDIENCE = 'https://shop.example.com'
const FILE = 'end-users-orders'

/** Tokens of a real identity provider, checked by the proxy; the application is told who it is and does nothing. */
export async function endUsers(shop: Shop, report: Report): Promise<void> {
  const { mesh } = shop
  report.title('End users call orders, with tokens of an identity provider')
  const providers = await Promise.all(
    (['identity-provider', 'other-provider'] as const).map(name => DemoIdentityProvider.start(mesh.spareAddress(name)))
  )
  try {
    const [provider, other] = providers
    if (provider === undefined || other === undefined) throw new Error('an identity provider is missing')
    report.say(`applying ${EXAMPLE}, for the issuer ${provider.issuer}`)
    const policy = await readFile(join(import.meta.dirname, '../..', EXAMPLE), 'utf8')
    await mesh.applyText(FILE, policy.replace(EXAMPLE_ISSUER, provider.issuer))
    const withTokenOf = async (issuer: DemoIdentityProvider): Promise<Answer> =>
      shop.callOrders({ authorization: `Bearer ${await issuer.token('ada', AUDIENCE)}` })

    const missing = await until('a token being asked for', async () => {
      const answer = await shop.callOrders()
      return answer.status === 200 ? undefined : answer
    })
    const valid = await until('the keys of the provider', async () => {
      const answer = await withTokenOf(provider)
      return answer.status === 401 ? undefined : answer
    })
    const foreign = await withTokenOf(other)
    report.say(`without a token: ${missing.status} ${missing.body.trim()}`)
    report.say(`with a token of another issuer: ${foreign.status} ${foreign.body.trim()}`)
    const user: unknown = valid.status === 200 ? JSON.parse(valid.body).user : undefined
    report.conclude({
      step: 'End users, named by their tokens',
      expected: '401 without a token, 200 with one, 401 with one of another issuer',
      seen: `${missing.status}, ${valid.status} with user ${user} named to the application, ${foreign.status}`,
      ok: missing.status === 401 && valid.status === 200 && user === 'ada' && foreign.status === 401
    })
  } finally {
    await Promise.all(providers.map(provider => provider.stop()))
  }
  await mesh.remove(FILE)
  await until('orders needing no token any more', async () => (await shop.callOrders()).status === 200 || undefined)
}
