// `countersign demo`: the main job of Countersign on this machine, with real requests, step by step.
//
// In: an Envoy, the manifests under examples/. Out: what was seen, a table, exit code 0 when all was as expected.
// Never: needs root or a cluster; never leaves a process or a file behind, unless --keep says so.

import { Command } from 'commander'
import { runDemo } from './run-demo.ts'

/** The sub-command, to be added to the program. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('show identity, mutual TLS, end users, rotation and recovery on this machine, in under a minute')
    .option('--keep', 'leave everything running at the end and print the addresses to try, until Ctrl-C')
    .addHelpText(
      'after',
      `
It starts authority, webhook, agent, three Envoys, two applications and two identity providers on
addresses of 127.77.0.0/16 and 127.78.0.0/16, calls them, replaces and kills some of them, and says what happened.

Exit code: 0 when everything was as expected, 1 when not, or when something is missing.`
    )
    .action(async (options: { keep?: true }) => {
      process.exitCode = await runDemo({ keep: options.keep === true })
    })
}
