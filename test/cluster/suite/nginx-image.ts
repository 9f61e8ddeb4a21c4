import { existsSync, globSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { buildImages, findProgram, type Image, programTree, type Recipe } from '../../../tools/images/index.ts'
import { run } from '../run.ts'

const CACHE = join(import.meta.dirname, '../../../.cache/nginx-image')
const PROGRAM = join(CACHE, 'package/usr/sbin/nginx')
const COMMAND = ['/usr/sbin/nginx', '-e', 'stderr', '-c', '/etc/nginx.conf'] as const

export const NGINX_IMAGE = 'countersign.dev/test/nginx:1'

/**
 * nginx as Debian has it, with a configuration. Unpacked and not installed: installing would start a server here.
 *
 * @param watched a symbolic link; nginx is told to read its files again whenever that leads elsewhere
 */
export async function nginxImages(configuration: string, watched?: string): Promise<readonly Image[]> {
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
    entrypoint: watched === undefined ? COMMAND : ['/bin/busybox', 'sh', '/reloading.sh', watched],
    layers: () => {
      const tree = programTree('/usr/sbin/nginx', PROGRAM)
      tree.write('/etc/nginx.conf', configuration)
      if (watched === undefined) return [tree]
      tree.write('/reloading.sh', RELOADING)
      return [programTree('/bin/busybox', busybox()), tree]
    }
  }
  return [...(await buildImages(new Map([['nginx', recipe]]), CACHE)).values()]
}

// What was read is what the link led to before, or newer: then it is read once more. An nginx that cannot read its files
// goes on with those that it has.
const RELOADING = `
seen=$(busybox readlink "$1")
${COMMAND.join(' ')} &
server=$!
trap 'kill $server' TERM
while kill -0 $server; do
  busybox usleep 200000
  now=$(busybox readlink "$1")
  [ "$now" = "$seen" ] || { seen=$now; ${COMMAND.join(' ')} -s reload; }
done
`

function busybox(): string {
  const found = findProgram('busybox')
  if (found === undefined) throw new Error('busybox is missing: install the Debian package busybox-static')
  return found
}
