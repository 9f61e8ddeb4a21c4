import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TYPE } from '../../shared/xds/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { AgentMetrics, type WatchedRooms } from './index.ts'

const clock = new FakeClock()
const HOUR = 3_600_000
const life = (...notAfter: number[]) => ({ chain: notAfter.map(hours => ({ notAfter: clock.now() + hours * HOUR })) })

/** Rooms that are as a test wants them; whatever it leaves out is empty. */
interface Rooms {
  readonly volumes?: ReadonlyMap<string, unknown>
  readonly pods?: ReadonlyMap<string, ReturnType<typeof life> | undefined>
  readonly requesting?: number
  readonly agent?: () => ReturnType<typeof life> | undefined
  readonly mesh?: WatchedRooms['link']['mesh']
}

function open(rooms: Rooms = {}): AgentMetrics {
  const { volumes = new Map(), pods = new Map(), requesting = 0, agent = () => undefined } = rooms
  const { mesh = { connected: false, ageMs: undefined } } = rooms
  const metrics = new AgentMetrics({ clock })
  metrics.watch({
    volumes: { current: () => volumes },
    identities: { all: () => pods, requesting },
    link: { identity: { current: agent }, mesh }
  })
  return metrics
}

/** The lines of a scrape that are ours, without the histogram's. */
async function scrape(metrics: AgentMetrics): Promise<Map<string, number>> {
  const text = await metrics.registry.metrics()
  const lines = text.split('\n').filter(line => line.startsWith('countersign_agent_'))
  return new Map(
    lines.map(line => {
      const space = line.lastIndexOf(' ')
      return [line.slice('countersign_agent_'.length, space), Number(line.slice(space + 1))]
    })
  )
}

describe('the metrics of the agent', () => {
  it('count each try for a certificate by its outcome, from zero on', async () => {
    const metrics = open()
    const outcomes = ['issued', 'failed', 'refused', 'unavailable', 'invalid']
    const before = await scrape(metrics)
    for (const subject of ['agent', 'workload'])
      for (const outcome of outcomes)
        assert.equal(before.get(`rotations_total{subject="${subject}",outcome="${outcome}"}`), 0)

    metrics.podRotation.issued(20)
    metrics.podRotation.issued(1_500)
    metrics.agentRotation.issued(20)
    for (const code of ['ERR_AUTHORITY_REFUSED', 'ERR_AUTHORITY_UNAVAILABLE', 'ERR_CERTIFICATE_INVALID'] as const)
      metrics.podRotation.failed(code)
    metrics.podRotation.failed('ERR_VOLUME_INVALID')
    metrics.podRotation.failed('ERR_INTERNAL')
    const values = await scrape(metrics)
    const counts = outcomes.map(outcome => values.get(`rotations_total{subject="workload",outcome="${outcome}"}`))
    assert.deepEqual(counts, [2, 2, 1, 1, 1])
    assert.equal(values.get('rotations_total{subject="agent",outcome="issued"}'), 1)
    assert.equal(values.get('issuance_duration_seconds_count{subject="workload"}'), 2)
    assert.equal(values.get('issuance_duration_seconds_sum{subject="workload"}'), 1.52)
  })

  it('say which certificate ends first, and how many are valid, expired and missing', async () => {
    const pods = new Map([
      ['a', life(24, 2)],
      ['b', life(5)],
      ['c', life(-1)],
      ['d', undefined]
    ])
    const metrics = open({ pods, agent: () => life(12) })
    const values = await scrape(metrics)
    assert.equal(values.get('certificates{state="valid"}'), 2)
    assert.equal(values.get('certificates{state="expired"}'), 1)
    assert.equal(values.get('certificates{state="missing"}'), 1)
    const expiry = 'certificate_expiry_timestamp_seconds'
    assert.equal(values.get(`${expiry}{subject="workload"}`), clock.now() / 1_000 - 3_600)
    assert.equal(values.get(`${expiry}{subject="agent"}`), clock.now() / 1_000 + 12 * 3_600)
  })

  it('say nothing of the expiry of certificates that are not there', async () => {
    let svid: ReturnType<typeof life> | undefined = life(1)
    const metrics = open({ agent: () => svid })
    assert.ok((await scrape(metrics)).has('certificate_expiry_timestamp_seconds{subject="agent"}'))
    svid = undefined
    assert.deepEqual(
      [...(await scrape(metrics)).keys()].filter(name => name.includes('expiry')),
      []
    )
  })

  it('have as many series with a hundred pods as with one', async () => {
    const seriesWith = async (pods: number): Promise<number> => {
      const all = new Map(Array.from({ length: pods }, (_, index) => [`uid-${index}`, life(1)]))
      const metrics = open({ volumes: all, pods: all })
      for (const uid of all.keys()) {
        metrics.podRotation.issued(1)
        metrics.discovery.onStreamOpened(`pod:${uid}`, 'DeltaAggregatedResources')
        metrics.discovery.onRejected(`pod:${uid}`, TYPE.listener, `because of ${uid}`)
      }
      return (await scrape(metrics)).size
    }
    assert.equal(await seriesWith(100), await seriesWith(1))
  })

  it('show what there is at the moment of the scrape', async () => {
    const volumes = new Map([['uid-1', {}]])
    const mesh = { connected: false, ageMs: undefined as number | undefined }
    const metrics = open({ volumes, requesting: 3, mesh })
    let values = await scrape(metrics)
    assert.equal(values.get('volumes'), 1)
    assert.equal(values.get('issuance_pending'), 3)
    assert.equal(values.get('authority_connected'), 0)
    assert.equal(values.has('mesh_age_seconds'), false, 'it is not known before the authority was heard')
    volumes.set('uid-2', {})
    Object.assign(mesh, { connected: true, ageMs: 0 })
    values = await scrape(metrics)
    assert.equal(values.get('volumes'), 2)
    assert.equal(values.get('authority_connected'), 1)
    assert.equal(values.get('mesh_age_seconds'), 0)
    Object.assign(mesh, { connected: false, ageMs: 2_500 })
    assert.equal((await scrape(metrics)).get('mesh_age_seconds'), 2.5)
  })

  it('count streams, and responses by the type of what was in them', async () => {
    const metrics = open()
    const { discovery } = metrics
    for (const peer of ['pod:a', 'pod:b']) discovery.onStreamOpened(peer, 'DeltaAggregatedResources')
    discovery.onStreamClosed('pod:a', 'DeltaAggregatedResources')
    discovery.onSent('pod:b', TYPE.secret)
    discovery.onSent('pod:b', TYPE.listener)
    discovery.onAccepted('pod:b', TYPE.secret, new Map())
    discovery.onRejected('pod:b', TYPE.listener, 'no such filter')
    discovery.onRejected('pod:b', 'type.googleapis.com/anything.a.client.may.Say', '')
    const values = await scrape(metrics)
    assert.equal(values.get('streams'), 1)
    assert.equal(values.get('responses_sent_total{type="Secret"}'), 1)
    assert.equal(values.get('responses_rejected_total{type="Listener"}'), 1)
    assert.equal(values.get('responses_rejected_total{type="other"}'), 1)
    assert.equal([...values.keys()].filter(name => name.startsWith('responses_')).length, 4)
  })

  it('cannot be watched twice', () => {
    const metrics = open()
    const nothing = { current: () => new Map() }
    const identities = { all: () => new Map(), requesting: 0 }
    const link = { identity: { current: () => undefined }, mesh: { connected: false, ageMs: undefined } }
    assert.throws(() => metrics.watch({ volumes: nothing, identities, link }))
  })
})
