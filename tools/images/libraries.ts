import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

const ELF = Buffer.from('\x7fELF', 'latin1')

// What glibc opens by name when a program asks for the address of a host. Since glibc 2.34 it is part of libc.
const NAME_SERVICE = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2']

/**
 * Every file that programs of this machine need beside themselves: their shared libraries and the loader, by the paths
 * at which the loader looks for them. None for a program that is linked statically.
 *
 * @throws Error when a library is missing
 */
export function sharedLibraries(...programs: readonly string[]): string[] {
  const { status, stdout, stderr, error } = spawnSync('ldd', programs, { encoding: 'utf8' })
  if (error !== undefined) throw new Error('ldd is missing: install the package libc-bin', { cause: error })
  const output = `${stdout}${stderr}`
  if (/not a dynamic executable|statically linked/.test(output)) return []
  if (status !== 0) throw new Error(`ldd ${programs.join(' ')} failed: ${output.trim()}`)
  const found = parseLdd(output)
  const libc = found.find(file => file.endsWith('/libc.so.6'))
  const opened =
    libc === undefined ? [] : NAME_SERVICE.map(name => join(dirname(libc), name)).filter(name => existsSync(name))
  return [...new Set([...found, ...opened])].sort()
}

/**
 * The files in the output of `ldd`.
 *
 * @throws Error when it says of a library that it was not found
 */
export function parseLdd(output: string): string[] {
  return output.split('\n').flatMap(line => {
    const [, missing] = /^\s*(\S+) => not found/.exec(line) ?? []
    if (missing !== undefined) throw new Error(`the library ${missing} is not installed`)
    const [, file] = /(?:^|=>)\s*(\/\S+) \(0x[0-9a-f]+\)$/.exec(line) ?? []
    return file === undefined ? [] : [file]
  })
}

/** The path of a program of this machine, also of one that is for root alone, or `undefined`. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  return folders
    .filter(folder => folder.startsWith('/'))
    .map(folder => join(folder, name))
    .find(isProgram)
}

// A script that only finds the real program (an npm shim, say) would be of no use in an image.
function isProgram(file: string): boolean {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false
  const magic = Buffer.alloc(4)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, magic, 0, magic.length, 0)
  } finally {
    closeSync(descriptor)
  }
  return magic.equals(ELF)
}
