// `countersign validate`: what is wrong in a folder of manifests, before the authority is given it.
//
// In: a folder or a file. Out: every problem with file, line and field; exit code 1 when one of them is an error.
// Never: talks to a cluster; never changes a file.

import { Command } from 'commander'
import { systemClock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { checkFolder, formatProblem } from '../../shared/inventory/folder/index.ts'

const WHAT = 'a folder of .yaml, .yml and .json files, or one file'

/** The sub-command, to be added to the program. */
export function validateCommand(): Command {
  return new Command('validate')
    .description('check Kubernetes manifests and policies, naming file, line and field of each mistake')
    .argument('<path>', WHAT)
    .addHelpText(
      'after',
      `
Example:
  countersign validate examples/shop

Exit code: 0 without errors (there may be warnings), 1 with errors, 2 when there is nothing to read.`
    )
    .action(async (path: string) => {
      process.exitCode = await validate(path)
    })
}

async function validate(path: string): Promise<number> {
  try {
    const { inventory, problems } = await checkFolder(path, systemClock)
    for (const problem of problems) console.log(`${problem.severity}: ${formatProblem(problem)}`)
    const errors = problems.filter(({ severity }) => severity === 'error').length
    const counts = Object.entries(inventory).map(
      ([kind, objects]) => `${(objects as readonly unknown[]).length} ${kind}`
    )
    console.log(`${errors} errors, ${problems.length - errors} warnings; read: ${counts.join(', ')}`)
    return errors === 0 ? 0 : 1
  } catch (thrown) {
    console.error(`countersign validate: ${CountersignError.from(thrown).message}`)
    console.error(`expected ${WHAT}, for example: countersign validate examples/shop`)
    return 2
  }
}
