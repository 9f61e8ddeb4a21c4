import { Command } from 'commander'
import { demoCommand } from './demo/index.ts'
import { validateCommand } from './validate/index.ts'

const program = new Command('countersign')
  .description('Workload identity and mutual TLS for Kubernetes, without security code in applications.')
  .showHelpAfterError('(`countersign --help` lists the commands)')
  .addCommand(demoCommand())
  .addCommand(validateCommand())

// 2 says that the command line was wrong, 1 that what it asked for did not go well: as all programs here do.
for (const command of [program, ...program.commands])
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))

await program.parseAsync()
