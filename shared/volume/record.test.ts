import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  parseVolumeRecord,
  readVolumeRecord,
  recordedVolumeIds,
  removeVolumeRecord,
  type VolumeRecord,
  volumeRecordSchema,
  writeVolumeRecord
} from './index.ts'

const record: VolumeRecord = {
  version: 1,
  volumeId: 'csi-0123',
  targetPath: '/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/countersign/mount',
  pod: { namespace: 'shop', name: 'orders-0', uid: '0a1b', serviceAccount: 'orders' },
  token: 's3cret',
  tokenExpiresAt: '2026-01-01T00:00:00Z',
  attributes: { 'countersign.dev/x': 'y' }
}

describe('a volume record', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-records-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const path = (name = 'csi-0123.json'): string => join(folder, name)

  it('comes back as it was written, from a file for nobody else', () => {
    assert.equal(writeVolumeRecord(folder, record), true)
    assert.equal(statSync(path()).mode & 0o777, 0o600)
    assert.deepEqual(readVolumeRecord(folder, 'csi-0123'), record)
  })

  it('needs neither token nor attributes', () => {
    const { token: _, tokenExpiresAt: __, attributes: ___, ...least } = record
    writeVolumeRecord(folder, least)
    assert.deepEqual(readVolumeRecord(folder, 'csi-0123'), { ...least, attributes: {} })
  })

  it('is not written again when nothing changed', () => {
    writeVolumeRecord(folder, record)
    const { ino } = statSync(path())
    assert.equal(writeVolumeRecord(folder, { ...record }), false)
    assert.equal(statSync(path()).ino, ino)
  })

  it('is replaced as a whole when a token is new', () => {
    writeVolumeRecord(folder, record)
    assert.equal(writeVolumeRecord(folder, { ...record, token: 'fresh' }), true)
    assert.equal(readVolumeRecord(folder, 'csi-0123')?.token, 'fresh')
    assert.deepEqual(readdirSync(folder), ['csi-0123.json'])
  })

  it('is absent where none was written', () => {
    assert.equal(readVolumeRecord(folder, 'csi-0123'), undefined)
  })

  it('is removed, and removed again', () => {
    writeVolumeRecord(folder, record)
    removeVolumeRecord(folder, 'csi-0123')
    assert.equal(existsSync(path()), false)
    removeVolumeRecord(folder, 'csi-0123')
  })

  it('is listed by its volume, and nothing else is', () => {
    writeVolumeRecord(folder, record)
    for (const name of ['csi-broken.json', '.csi-0123.json.0123456789ab.tmp', '.hidden.json', 'notes.txt', '..json'])
      writeFileSync(path(name), '{')
    assert.deepEqual([...recordedVolumeIds(folder)].sort(), ['csi-0123', 'csi-broken'])
  })

  for (const id of ['', '.', '..', '../escape', 'a/b', '.hidden', 'a.', 'a'.repeat(129), 'a\0b'])
    it(`never makes a file name of the volume ID ${JSON.stringify(id.slice(0, 12))}`, () => {
      assert.throws(() => writeVolumeRecord(folder, { ...record, volumeId: id }), TypeError)
      assert.throws(() => removeVolumeRecord(folder, id))
      assert.throws(() => readVolumeRecord(folder, id))
      assert.deepEqual(readdirSync(folder), [])
    })

  const wrong: Record<string, [change: object, field: string]> = {
    'an unknown version': [{ version: 2 }, 'version'],
    'an unknown field': [{ extra: true }, 'record'],
    'a relative path': [{ targetPath: 'mount' }, 'targetPath'],
    'a path with a zero byte': [{ targetPath: '/a\0b' }, 'targetPath'],
    'no pod': [{ pod: undefined }, 'pod'],
    'a pod without a name': [{ pod: { ...record.pod, name: '' } }, 'pod.name'],
    'a namespace in capitals': [{ pod: { ...record.pod, namespace: 'Shop' } }, 'pod.namespace'],
    'a UID that is a path': [{ pod: { ...record.pod, uid: '../x' } }, 'pod.uid'],
    'an account with a slash': [{ pod: { ...record.pod, serviceAccount: 'a/b' } }, 'pod.serviceAccount'],
    'an empty token': [{ token: '' }, 'token'],
    'a token that is no text': [{ token: { secret: 's3cret' } }, 'token'],
    'a time that is none': [{ tokenExpiresAt: 's3cret' }, 'tokenExpiresAt'],
    'an attribute that is no text': [{ attributes: { a: 1 } }, 'attributes.a']
  }
  for (const [title, [change, field]] of Object.entries(wrong))
    it(`is refused with ${title}, naming the field and no value`, () => {
      const damaged = { ...record, ...change }
      assert.throws(
        () => writeVolumeRecord(folder, damaged as VolumeRecord),
        (thrown: Error) => {
          assert.ok(thrown instanceof TypeError)
          assert.ok(thrown.message.includes(`${field}: `), thrown.message)
          assert.doesNotMatch(thrown.message, /s3cret/)
          return true
        }
      )
      assert.throws(() => parseVolumeRecord('csi-0123.json', JSON.stringify(damaged)), {
        code: 'ERR_VOLUME_INVALID',
        message: new RegExp(`^volume record csi-0123.json: .*${field}: `)
      })
      assert.equal(volumeRecordSchema.safeParse(damaged).success, false)
    })

  for (const [title, content] of [
    ['is empty', ''],
    ['is cut off', '{"token":"s3cret"'],
    ['is a list', '[]']
  ] as const)
    it(`is refused when its file ${title}, without showing it`, () => {
      writeFileSync(path(), content)
      assert.throws(
        () => readVolumeRecord(folder, 'csi-0123'),
        (thrown: Error & { code?: string }) =>
          thrown.code === 'ERR_VOLUME_INVALID' && !thrown.message.includes('s3cret') && thrown.cause === undefined
      )
    })

  it('is refused under the name of another volume', () => {
    assert.throws(() => parseVolumeRecord('csi-other.json', JSON.stringify(record)), /expected that of the file's name/)
  })
})
