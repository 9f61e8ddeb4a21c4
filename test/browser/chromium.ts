import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

// Debian's package, and what others call it.
const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * A real browser without a window. Closed by its caller.
 *
 * @throws Error when there is none on this machine: a test without a browser fails, and is never skipped
 */
export async function startChromium(): Promise<Browser> {
  const program = PROGRAMS.find(existsSync)
  if (program === undefined)
    throw new Error(
      `this test needs Chromium, and none of ${PROGRAMS.join(', ')} is there: install the Debian package chromium, or let \`npm run test:cluster\` do it`
    )
  // Its own sandbox needs another user than root; it shows nothing but what this test serves.
  return chromium.launch({ executablePath: program, args: ['--no-sandbox'] })
}
