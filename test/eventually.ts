import assert from 'node:assert/strict'

const DEADLINE_MS = 20_000
const BETWEEN_LOOKS_MS = 2

/**
 * Resolves when a condition holds that something else brings about. The deadline of 20 s is only there to end a test
 * that has failed.
 *
 * @param what - for the message of that failure; a function is asked when it fails, for example for a log
 */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string)
): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `it never happened: ${typeof what === 'string' ? what : what()}`)
    await new Promise(resolve => setTimeout(resolve, BETWEEN_LOOKS_MS))
  }
}
