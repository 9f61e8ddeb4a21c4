import { existsSync, globSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { buildImages, type Image, programTree, type Recipe } from '../../../tools/images/index.ts'
import { run } from '../run.ts'

const CACHE = join(import.meta.dirname, '../../../.cache/nginx-image')
const PROGRAM = join(CACHE, 'package/usr/sbin/nginx')

export const NGINX_IMAGE = 'countersign.dev/test/nginx:1'

/** nginx as Debian has it, with a configuration. Unpacked and not installed: installing would start a server here. */
export async function nginxImages(configuration: string): Promise<readonly Image[]> {
  if (!existsSync(PROGRAM)) {
    await mkdir(CACHE, { recursive: true })
    await run('apt-get', ['-qq', 'update'])
    await run('apt-get', ['-qq', 'download', 'nginx'], { cwd: CACHE })
    const [archive] = globSync('nginx_*.deb', { cwd: CACHE })
    if (archive === undefined) throw new Error('apt-get downloaded no package nginx')
    await run('dpkg-deb', ['-x', join(CACHE, archive), join(CACHE, 'package')])
  }
  const recipe: Recipe = {
    reference: NGINX_IMAGE,
    title: 'nginx',
    version: '1',
    user: '65532:65532',
    entrypoint: ['/usr/sbin/nginx', '-e', 'stderr', '-c', '/etc/nginx.conf'],
    layers: () => {
      const tree = programTree('/usr/sbin/nginx', PROGRAM)
      tree.write('/etc/nginx.conf', configuration)
      return [tree]
    }
  }
  return [...(await buildImages(new Map([['nginx', recipe]]), CACHE)).values()]
}
