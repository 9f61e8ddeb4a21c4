import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findProgram, parseLdd, sharedLibraries } from './libraries.ts'

describe('parseLdd', () => {
  it('takes libraries and the loader, and leaves what the kernel provides', () => {
    const output = [
      '\tlinux-vdso.so.1 (0x00007f633af05000)',
      '\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f633ab20000)',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007f633af07000)'
    ].join('\n')
    assert.deepEqual(parseLdd(output), ['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2'])
  })

  it('refuses a program of which a library is missing', () => {
    assert.throws(() => parseLdd('\tlibjansson.so.4 => not found\n'), /libjansson\.so\.4 is not installed/)
  })
})

describe('the programs of this machine', () => {
  it('are found by name, real programs only', () => {
    assert.match(findProgram('tar') ?? '', /^\/.*\/tar$/)
    assert.equal(findProgram('no-such-program'), undefined)
    assert.equal(findProgram('ldd'), undefined, 'ldd is a script')
  })

  it('need libc and a loader', () => {
    const libraries = sharedLibraries(process.execPath)
    assert.ok(libraries.some(file => file.endsWith('/libc.so.6')))
    assert.ok(libraries.some(file => /\/ld-linux[^/]*$/.test(file)))
  })
})
