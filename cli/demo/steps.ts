import { forwardedIdentities, Load, podFromDeployment, servedCertificate, until } from '../local/index.ts'
import { endUsers } from './end-users.ts'
import type { Report } from './report.ts'
import { ORDERS_URL, type Shop } from './shop.ts'

type Step = (shop: Shop, report: Report) => Promise<void>

const shown = (thrown: unknown): string =>
  thrown instanceof Error ? ((thrown as { code?: string }).code ?? thrown.message) : String(thrown)

/** A call between two pods: what each side proved. */
const mutualTls: Step = async (shop, report) => {
  report.title('The storefront calls orders')
  const answer = await until('a call to orders', async () => {
    const got = await shop.callOrders()
    return got.status === 200 ? got : undefined
  })
  const { clientCertificate } = JSON.parse(answer.body) as { clientCertificate: string | null }
  const { client, server } = forwardedIdentities(clientCertificate)
  report.say(`GET ${ORDERS_URL} → ${answer.status}`)
  report.say(`client: ${client ?? 'unknown'}`)
  report.say(`server: ${server ?? 'unknown'}`)
  report.conclude({
    step: 'A call between two services',
    expected: 'mutual TLS, both identities verified',
    seen: `${client ?? 'nobody'} called ${server ?? 'nobody'} over mutual TLS`,
    ok:
      client === 'spiffe://cluster.local/ns/shop/sa/storefront' && server === 'spiffe://cluster.local/ns/shop/sa/orders'
  })
}

/** PERMISSIVE, then STRICT: what becomes of a caller without an identity. */
const strict: Step = async (shop, report) => {
  report.title('Somebody without an identity calls orders in plaintext')
  const before = await shop.callOrdersPlainly().then(answer => String(answer.status), shown)
  report.conclude({
    step: 'Plaintext while PERMISSIVE',
    expected: 'accepted: services can be moved one by one',
    seen: `answered with ${before}`,
    ok: before === '200'
  })
  report.say('applying examples/policies/peer-authentication-strict.yaml')
  await shop.applyExample('policies/peer-authentication-strict.yaml')
  const refused = await until('plaintext being refused', async () =>
    shop.callOrdersPlainly().then(() => undefined, shown)
  ).catch(shown)
  const still = await shop.callOrders()
  report.conclude({
    step: 'Plaintext while STRICT',
    expected: 'refused; the storefront’s call goes on',
    seen: `refused (${refused}); the storefront got ${still.status}`,
    ok: refused === 'ECONNRESET' && still.status === 200
  })
}

/** A pod of another account gets the address of orders: its certificate is right, its name is not. */
const impersonation: Step = async (shop, report) => {
  const { mesh, orders, deployments } = shop
  report.title('A pod of service account guest takes over the address of orders')
  const deployment = deployments.get('guest')
  if (deployment === undefined) throw new Error('examples/shop has no Deployment guest')
  await orders.proxy?.stop()
  const placement = { node: mesh.node, address: orders.pod.address, applicationAddress: orders.pod.applicationAddress }
  const impostor = await mesh.run(podFromDeployment(deployment, placement), { applications: false })
  const { subjectAltName = 'none' } = await servedCertificate(orders.pod.address, 8080)
  report.say(`the address now answers with a certificate of the mesh: ${subjectAltName}`)
  const { status, body } = await shop.callOrders()
  report.say(`the storefront’s proxy answers ${status}: ${body.trim()}`)
  report.conclude({
    step: 'A server impersonated by another account',
    expected: 'refused by the client’s proxy',
    seen: `${status}: the certificate is of the mesh, its name is not that of orders`,
    ok: status === 503 && subjectAltName.includes('/sa/guest') && /CERTIFICATE_VERIFY_FAILED/.test(body)
  })
  await mesh.delete(impostor)
  await mesh.startProxy(orders)
  await mesh.waitReady(orders)
  await until('orders being called again', async () => ((await shop.callOrders()).status === 200 ? true : undefined))
}

/** A certificate is replaced while requests flow. */
const rotation: Step = async (shop, report) => {
  report.title('Certificates of 20 s are replaced at half their life, while requests flow')
  const { address } = shop.orders.pod
  const first = await servedCertificate(address, 8080)
  const load = new Load({ url: ORDERS_URL, through: `${shop.storefront.pod.address}:15001` })
  const second = await until(
    'a new certificate',
    async () => {
      const now = await servedCertificate(address, 8080)
      return now.serialNumber === first.serialNumber ? undefined : now
    },
    { intervalMs: 200 }
  )
  await load.stop()
  const newKey = !second.publicKey.equals(first.publicKey)
  report.say(`serial ${first.serialNumber} → ${second.serialNumber}, ${newKey ? 'new key' : 'SAME KEY'}`)
  report.conclude({
    step: 'A certificate rotated under load',
    expected: 'new serial, new key, no request lost',
    seen: `${load.answered} requests answered on ${load.connections} connections, ${load.failures.length} lost`,
    ok: newKey && load.failures.length === 0 && load.answered > 0
  })
}

/** The agent dies and comes back: nobody notices, and it goes on rotating. */
const agentKilled: Step = async (shop, report) => {
  report.title('The agent is killed (SIGKILL) and started again, while requests flow')
  const { mesh } = shop
  const { address } = shop.orders.pod
  const load = new Load({ url: ORDERS_URL, through: `${shop.storefront.pod.address}:15001` })
  const before = await servedCertificate(address, 8080)
  await mesh.program('agent').kill()
  const answered = load.answered
  await until('requests without an agent', () => (load.answered > answered + 50 ? true : undefined))
  report.say(`${load.answered - answered} requests answered while there was no agent`)
  await mesh.startProgram('agent')
  const after = await until(
    'a certificate from the restarted agent',
    async () => {
      const now = await servedCertificate(address, 8080)
      return now.serialNumber === before.serialNumber ? undefined : now
    },
    { intervalMs: 200 }
  )
  await load.stop()
  report.say(`it took up where it had left: serial ${before.serialNumber} → ${after.serialNumber}`)
  report.conclude({
    step: 'The agent killed and restarted',
    expected: 'no request lost, rotation goes on',
    seen: `${load.answered} requests answered, ${load.failures.length} lost`,
    ok: load.failures.length === 0 && load.answered > 0
  })
}

export const STEPS: readonly Step[] = [mutualTls, strict, impersonation, endUsers, rotation, agentKilled]
