import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { CountersignError } from '../../shared/errors/index.ts'
import { openNetworkOf, type PodNetwork } from './pod-network.ts'
import { ENVIRONMENT, runBounded } from './run-bounded.ts'
import { insideOf } from './run-inside.ts'

// A process that is in it until its input ends, so that it can be opened.
const HOLDER = "process.stdin.resume(); process.stdout.write('.')"
const TIMEOUT_MS = 10_000

/**
 * A network namespace of nobody, with no interface but lo, which is gone when it is closed: to try things out. Counts
 * as one with IPv6 if the kernel has it. Needs the programs `unshare`, `nsenter` and `ip`, CAP_SYS_ADMIN and
 * CAP_NET_ADMIN.
 *
 * @throws CountersignError ERR_CAPTURE_FAILED
 */
export async function openScratchNetwork(): Promise<PodNetwork> {
  const holder = spawn('unshare', ['--net', process.execPath, '--eval', HOLDER], { env: ENVIRONMENT })
  let stderr = ''
  holder.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part
  })
  holder.stdin.on('error', () => {})
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const failure = new Promise<never>((_, reject) => {
    holder.once('error', reject)
    holder.once('close', code => reject(new Error(`unshare ended with ${code}: ${stderr.trim()}`)))
  })
  // It ends when it is told to, too.
  failure.catch(() => {})
  try {
    await Promise.race([once(holder.stdout, 'data', { signal }), failure])
    const opened = holder.pid === undefined ? undefined : openNetworkOf(holder.pid, '/proc')
    if (opened === undefined) throw new Error('its process has ended')
    // As a pod's is: routes need it.
    await insideOf(opened, runBounded)('', 'ip', 'link', 'set', 'dev', 'lo', 'up').catch(thrown => {
      opened.close()
      throw thrown
    })
    return {
      ...opened,
      hasIpv6: opened.speaksIpv6,
      close() {
        opened.close()
        holder.kill('SIGKILL')
      }
    }
  } catch (thrown) {
    holder.kill('SIGKILL')
    throw CountersignError.from(thrown, 'ERR_CAPTURE_FAILED', 'no network namespace can be made for a trial')
  }
}
