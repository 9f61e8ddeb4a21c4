// Wherever a pod's calls may go, and from wherever it may be called: what is spoken, by what the server's side says.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { V1Pod, V1Service } from '@kubernetes/client-node'
import { until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { all, type Destination, DestinationCalls, OUTSIDE } from './destination-calls.ts'
import {
  cronObjects,
  EXCLUDED,
  NAMESPACE,
  namespaceObjects,
  PERMISSIVE,
  podObjects,
  READY_PODS,
  statefulObjects,
  UDP_PORT,
  VARIED
} from './destinations-pods.ts'
import { NODE_PORTS, type NodePortService, serviceObjects } from './destinations-services.ts'

const CONVERGENCE_MS = 60_000
/** A CronJob starts within a minute, and its pod ends soon after. */
const CRON_MS = 100_000

type Places = Readonly<Record<string, Destination>>

describe('what injected pods call', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let calls: DestinationCalls
  const podAddresses = new Map<string, readonly string[]>()
  const proxies = new Map<string, string>()

  const inNamespace = (args: readonly string[]): Promise<string> => cluster.kubectl(['-n', NAMESPACE, ...args])

  const notePods = async (): Promise<void> => {
    const { items } = JSON.parse(await inNamespace(['get', 'pods', '-o', 'json'])) as { items: V1Pod[] }
    for (const { metadata, spec, status } of items) {
      const addresses = (status?.podIPs ?? []).map(({ ip }) => ip)
      const [name = '', first = ''] = [metadata?.name, addresses[0]]
      podAddresses.set(name, addresses)
      if (spec?.initContainers?.some(({ name }) => name === 'countersign-proxy')) proxies.set(name, first)
    }
  }

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await Promise.all([installChart(cluster), DestinationCalls.startOutside(cluster)])
    await cluster.apply(...namespaceObjects)
    await cluster.apply(...serviceObjects(cluster.control.name), ...podObjects, ...statefulObjects('web'))
    const pods = READY_PODS.map(name => `pod/${name}`)
    await inNamespace(['wait', ...pods, '--for=condition=Ready', '--timeout=120s'])
    await cluster.apply(...cronObjects('cron', `http://far.${NAMESPACE}:8080/cron`))
    await notePods()
    calls = new DestinationCalls(cluster, NAMESPACE, proxies)
  })
  after(stopOwnCluster)

  /** Waits until all is as expected at once: what is known of the mesh arrives when it arrives. */
  const assertOutcomes = async (client: string, places: Places, expected: Readonly<Record<string, string>>) => {
    const look = async (): Promise<true> => {
      assert.deepEqual(await calls.outcomes(client, places), expected)
      return true
    }
    await until('the calls', look, { timeoutMs: CONVERGENCE_MS, intervalMs: 500 }).catch(({ cause }) => {
      throw cause
    })
  }
  const serviceAddresses = async (name: string): Promise<readonly string[]> => {
    const { spec } = JSON.parse(await inNamespace(['get', 'service', name, '-o', 'json'])) as V1Service
    return spec?.clusterIPs ?? []
  }
  const familyOf = (address: string): string => (address.includes(':') ? 'IPv6' : 'IPv4')
  const byFamily = (name: string, addresses: readonly string[], servers: readonly string[]): Places =>
    Object.fromEntries(addresses.map(address => [`${name} by ${familyOf(address)}`, { address, servers }]))

  describe('in both address families, on the same node and on another', () => {
    const services = async (server: string): Promise<Places> => ({
      ...byFamily('the Service', await serviceAddresses(server), [server]),
      'the Service by name': { address: `${server}.${NAMESPACE}`, servers: [server] },
      'the IPv6 Service': { address: `${server}-ipv6.${NAMESPACE}`, servers: [server] }
    })
    const pods = (server: string): Places => ({
      ...byFamily('the pod', podAddresses.get(server) ?? [], [server]),
      'the headless Service': { address: `${server}-pods.${NAMESPACE}`, servers: [server] }
    })
    const everywhere = async (server: string): Promise<Places> => {
      const places = { ...(await services(server)), ...pods(server) }
      assert.equal(Object.keys(places).length, 7, 'of each family there is one address')
      return places
    }

    for (const server of ['near', 'far']) {
      it(`${server} is spoken to in mutual TLS, whatever it is called by`, async () => {
        const places = await everywhere(server)
        await assertOutcomes('client', places, all('mutual TLS', places))
      })

      it(`${server} refuses a pod without a proxy, whatever it is called by`, async () => {
        const places = await everywhere(server)
        await assertOutcomes('outsider', places, all('refused', places))
      })
    }

    it('is spoken to in mutual TLS by itself through a Service, and by its own address stays within the pod', async () => {
      const own = await services('near')
      const within = pods('near')
      const expected = { ...all('mutual TLS', own), ...all('past the proxy', within) }
      await assertOutcomes('near', { ...own, ...within }, expected)
    })
  })

  describe('at the ports of nodes', () => {
    const places = (service: NodePortService, server: string, nodes = cluster.nodes): Places =>
      Object.fromEntries(
        nodes.flatMap(({ name, address, ipv6Address }) =>
          [address, ipv6Address].map(address => [
            `${name} by ${familyOf(address)}`,
            { address, ports: NODE_PORTS[service], servers: [server] }
          ])
        )
      )

    // The address of a node is that of no Service: what is behind its port, no proxy is told.
    for (const client of [OUTSIDE, 'client'])
      it(`is plaintext, which PERMISSIVE accepts and STRICT refuses, from ${client}`, async () => {
        const [open, near, excluded] = [
          places(PERMISSIVE, PERMISSIVE),
          places('near', 'near'),
          places(EXCLUDED, EXCLUDED)
        ]
        await assertOutcomes(client, open, all('plaintext', open))
        await assertOutcomes(client, near, all('refused', near))
        const past = Object.keys(excluded).flatMap(name => [
          [`http to ${name}`, 'past the proxy'],
          [`tcp to ${name}`, 'refused']
        ])
        await assertOutcomes(client, excluded, Object.fromEntries(past))
      })

    it('reaches a pod of that very node where the Service keeps traffic there', async () => {
      const local = places('open-local', PERMISSIVE, [cluster.node('node1')])
      await assertOutcomes(OUTSIDE, local, all('plaintext', local))
    })
  })

  it('are recognised behind other names of theirs: ExternalName', async () => {
    const inside: Places = {
      'a Service': { address: `alias.${NAMESPACE}`, servers: ['far'] },
      'a headless Service': { address: `alias-pods.${NAMESPACE}`, servers: ['far'] }
    }
    await assertOutcomes('client', inside, all('mutual TLS', inside))
    const outside: Places = { 'a machine': { address: `alias-outside.${NAMESPACE}`, servers: [OUTSIDE] } }
    await assertOutcomes('client', outside, all('plaintext', outside))
  })

  it('are the pods of one Service, each at the port that it gave the name', async () => {
    const servers = Object.keys(VARIED)
    const service: Places = { varied: { address: `varied.${NAMESPACE}`, ports: { http: 80, tcp: 81 }, servers } }
    const seen = new Set<string>()
    const look = async (): Promise<true | undefined> => {
      assert.deepEqual(await calls.outcomes('client', service), all('mutual TLS', service))
      for (const server of servers)
        for (const { kind, echo } of await calls.heardBy(server))
          if (/ to varied$/.test(echo)) seen.add(`${kind} ${server}`)
      return seen.size === 4 || undefined
    }
    await assertOutcomes('client', service, all('mutual TLS', service))
    await until('both pods to have heard both kinds', look, { timeoutMs: CONVERGENCE_MS, intervalMs: 1 })
    const pods: Places = Object.fromEntries(
      Object.entries(VARIED).map(([name, ports]) => [
        name,
        { address: podAddresses.get(name)?.[0] ?? '', ports, servers: [name] }
      ])
    )
    await assertOutcomes('client', pods, all('mutual TLS', pods))
    await assertOutcomes('outsider', pods, all('refused', pods))
  })

  it('are left as they are outside of the mesh: behind a Service written by hand, and by address', async () => {
    const { address, ipv6Address } = cluster.control.name
    const places: Places = {
      ...byFamily('the Service', await serviceAddresses('machine'), [OUTSIDE]),
      ...byFamily('the machine', [address, ipv6Address], [OUTSIDE])
    }
    assert.equal(Object.keys(places).length, 4)
    await assertOutcomes('client', places, all('plaintext', places))
  })

  it('may be the Kubernetes API, which knows the account by its own token over its own TLS', async () => {
    const script = `const { readFileSync } = require('node:fs')
      const read = name => readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/' + name)
      const options = {
        method: 'POST',
        ca: read('ca.crt'),
        headers: { authorization: 'Bearer ' + read('token'), 'content-type': 'application/json' }
      }
      require('node:https')
        .request('https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews', options, answer =>
          answer.pipe(process.stdout))
        .end(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }))`
    const review = JSON.parse(await inNamespace(['exec', 'client', '-c', 'application', '--', 'node', '-e', script]))
    assert.equal(review.status.userInfo.username, `system:serviceaccount:${NAMESPACE}:client`)
  })

  it('are pods of a StatefulSet by name before they are Ready', async () => {
    for (const name of ['web-0', 'web-1'])
      await until(`${name} to run`, async () => {
        const path = 'jsonpath={.status.containerStatuses[0].started}'
        return (await inNamespace(['get', 'pod', name, '-o', path])) === 'true' || undefined
      })
    await notePods()
    const place = (name: string): Places => ({ [name]: { address: `${name}.web.${NAMESPACE}`, servers: [name] } })
    const both = { ...place('web-0'), ...place('web-1') }
    await assertOutcomes('client', both, all('mutual TLS', both))
    await assertOutcomes('web-1', place('web-0'), all('mutual TLS', place('web-0')))
    await assertOutcomes('web-0', place('web-1'), all('mutual TLS', place('web-1')))
    await assertOutcomes('outsider', both, all('refused', both))
    const ready = 'jsonpath={.items[*].status.containerStatuses[*].ready}'
    assert.equal(await inNamespace(['get', 'pods', '-l', 'app=web', '-o', ready]), 'false false')
  })

  it('are untouched over UDP, and see where it came from', async () => {
    const addresses = [...(await serviceAddresses('udp')), ...(podAddresses.get('far') ?? [])]
    const script = `const { createSocket } = require('node:dgram')
      const ask = address => new Promise(resolve => {
        const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
        const again = setInterval(() => socket.send('?', ${UDP_PORT}, address), 500)
        socket.once('message', message => { clearInterval(again); socket.close(); resolve(String(message)) })
        socket.send('?', ${UDP_PORT}, address)
      })
      Promise.all(${JSON.stringify(addresses)}.map(ask)).then(answers => console.log(JSON.stringify(answers)))`
    const answers = JSON.parse(await inNamespace(['exec', 'client', '-c', 'application', '--', 'node', '-e', script]))
    const [ipv4, ipv6] = podAddresses.get('client') ?? []
    assert.deepEqual(answers, [`::ffff:${ipv4}`, ipv6, `::ffff:${ipv4}`, ipv6])
  })

  describe('from Jobs', () => {
    /** The pod of a job that has ended well, proxy and all. */
    const assertEnds = async (job: string): Promise<void> => {
      await inNamespace(['wait', `job/${job}`, '--for=condition=Complete', '--timeout=60s'])
      const { items } = JSON.parse(await inNamespace(['get', 'pods', '-l', `job-name=${job}`, '-o', 'json'])) as {
        items: V1Pod[]
      }
      assert.equal(items.length, 1)
      const { phase, containerStatuses = [], initContainerStatuses = [] } = items[0]?.status ?? {}
      assert.equal(phase, 'Succeeded')
      assert.deepEqual(
        [...initContainerStatuses, ...containerStatuses].map(({ name, state }) => [name, state?.terminated?.exitCode]),
        [
          ['countersign-proxy', 0],
          ['application', 0]
        ]
      )
    }
    const jobCalls = async (): Promise<readonly string[]> =>
      (await calls.heardBy('far')).filter(({ echo }) => echo === 'cron').map(call => String(call.clientCertificate))

    it('come in mutual TLS, and the pod ends when its application has', async () => {
      const before = await jobCalls()
      await inNamespace(['create', 'job', '--from=cronjob/cron', 'at-once'])
      await assertEnds('at-once')
      const heard = await jobCalls()
      assert.ok(heard.length > before.length)
      for (const certificate of heard)
        assert.match(certificate, /URI=spiffe:\/\/cluster\.local\/ns\/destinations\/sa\/cron$/)
    })

    it('of a CronJob do the same when their minute has come', async () => {
      const name = await until(
        'a Job',
        async () => {
          const jobs = await inNamespace(['get', 'jobs', '-o', 'jsonpath={.items[*].metadata.name}'])
          return jobs.split(' ').find(name => /^cron-\d+$/.test(name))
        },
        { timeoutMs: CRON_MS, intervalMs: 1_000 }
      )
      await assertEnds(name)
    })
  })
})
