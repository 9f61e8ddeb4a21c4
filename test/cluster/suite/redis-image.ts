import { join } from 'node:path'
import { buildImages, findProgram, type Image, programTree, type Recipe } from '../../../tools/images/index.ts'
import { run } from '../run.ts'

const CACHE = join(import.meta.dirname, '../../../.cache/redis-image')

// One package, which starts nothing on this machine. The server is in it under another name: Debian's package of the
// server holds little but a link to it, and it is what it is called by.
const PACKAGE = 'redis-tools'
const PROGRAMS = { 'redis-server': 'redis-check-rdb', 'redis-cli': 'redis-cli' } as const

export const REDIS_IMAGE = 'countersign.dev/test/redis:1'

/** Redis as Debian has it, server and client; installed when it is not. */
export async function redisImages(): Promise<readonly Image[]> {
  if (Object.values(PROGRAMS).some(program => findProgram(program) === undefined)) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    await run('apt-get', ['-qq', 'update'], { env })
    await run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', PACKAGE], { env })
  }
  const recipe: Recipe = {
    reference: REDIS_IMAGE,
    title: 'Redis',
    version: '1',
    user: '65532:65532',
    entrypoint: ['/usr/bin/redis-server'],
    layers: () => Object.entries(PROGRAMS).map(([name, program]) => programTree(`/usr/bin/${name}`, pathOf(program)))
  }
  return [...(await buildImages(new Map([['redis', recipe]]), CACHE)).values()]
}

function pathOf(program: string): string {
  const path = findProgram(program)
  if (path === undefined) throw new Error(`${program} is missing: expected it in the Debian package ${PACKAGE}`)
  return path
}
