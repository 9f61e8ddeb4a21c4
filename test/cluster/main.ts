// `npm run cluster …`: a real Kubernetes on this machine. `--help` tells more.

import { spawn } from 'node:child_process'
import { Command } from 'commander'
import { ClusterError, NoClusterError, SettingsError } from './cluster-error.ts'
import { installChart, openCluster, Progress, readSettings, startCluster, stopCluster } from './index.ts'
import { Kubectl } from './kubectl.ts'
import { environment, exitCode } from './run.ts'
import { KUBERNETES_VERSIONS } from './settings.ts'
import { statusOf } from './status.ts'

const EXIT = { failed: 1, usage: 2, down: 3 } as const

// npm runs its scripts at the root of the checkout; the paths that a user writes are from where the user is.
if (process.env['INIT_CWD']) process.chdir(process.env['INIT_CWD'])

interface UpOptions {
  readonly install: boolean
  readonly installPackages?: true
  readonly images?: string
}

const program = new Command('cluster')
  .description('A real Kubernetes on this machine, without a container engine, a virtual machine or a registry.')
  .enablePositionalOptions()
  .showHelpAfterError('(`npm run cluster -- --help` tells what there is)')
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : EXIT.usage))
  .addHelpText(
    'after',
    `
First steps, as root:
  npm run cluster up
  npm run cluster kubectl -- get pods -A
  npm run cluster down

Environment:
  NODES                        how many nodes, 1 to 5 (default: 2)
  KUBERNETES                   ${KUBERNETES_VERSIONS.join(' or ')} (default: ${KUBERNETES_VERSIONS[0]})
  CLUSTER                      the folder of its state (default: /var/tmp/countersign-cluster)
  COUNTERSIGN_TOOLS            a folder with kube-1.34.xz, kube-1.37.xz, coredns.xz and helm.xz; without it they come
                               from .cache/cluster-tools, or are built from Go modules, once
  COUNTERSIGN_CLUSTER_INSTALL  1: install Debian packages that are missing

Each node is a set of namespaces (network, mounts, processes) with a containerd, a kubelet and a kube-proxy of its
own. Pods and Services have IPv4 and, where a Service asks for it, IPv6. Nothing leads out of it: images are tar files,
given to the nodes by \`up\` and \`load\`. There is one cluster at a time. Logs are in the state folder, under
control/log and node0/log.

Exit code: 0 when all went well, 1 when something failed, 2 for a wrong command or setting, 3 from \`status\` when
there is no cluster; \`kubectl\` and \`helm\` end as these programs end.`
  )

program
  .command('up')
  .description('bring a cluster up, with the images of this checkout and Countersign installed from its chart')
  .option('--no-install', 'do not install the chart')
  .option('--install-packages', 'install Debian packages that are missing (also COUNTERSIGN_CLUSTER_INSTALL=1)')
  .option('--images <names>', 'only these images of the checkout, separated by commas; `none` for none')
  .action(up)

program
  .command('down')
  .description('take it down: nothing is left, whatever happened before')
  .action(async () => {
    const progress = new Progress()
    const found = await progress.step('taking the cluster down', () => stopCluster(readSettings()))
    progress.say(found ? `down (${progress.seconds} s)` : 'there was no cluster')
  })

program
  .command('status')
  .description('say what there is and whether all of it runs')
  .action(async () => {
    const cluster = openOrSay()
    if (cluster === undefined) return
    const { lines, healthy } = await statusOf(cluster)
    for (const line of lines) console.log(line)
    if (!healthy) process.exitCode = EXIT.failed
  })

for (const name of ['kubectl', 'helm'] as const)
  program
    .command(name)
    .description(`run ${name} in the network of the cluster: \`npm run cluster ${name} -- ARGS\``)
    .argument('[args...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action((args: string[]) => handOver(name, args))

program
  .command('load')
  .description('give the images of tar files, as `docker save` and `npm run images` write them, to every node')
  .argument('<archives...>')
  .action(async (archives: string[]) => {
    const cluster = openCluster()
    const progress = new Progress()
    for (const archive of archives) {
      const names = await progress.step(`loading ${archive}`, () => cluster.load(archive))
      for (const name of names) console.log(name)
    }
  })

try {
  await program.parseAsync()
} catch (thrown) {
  if (!(thrown instanceof ClusterError)) throw thrown
  console.error(`cluster: ${thrown.message}\n  next: ${thrown.next}`)
  process.exitCode = thrown instanceof SettingsError ? EXIT.usage : EXIT.failed
}

async function up({ install, installPackages, images }: UpOptions): Promise<void> {
  const progress = new Progress()
  const settings = readSettings()
  const cluster = await startCluster(
    {
      ...settings,
      installPackages: settings.installPackages || installPackages === true,
      ...(images === undefined ? {} : { images: images === 'none' ? [] : images.split(',') })
    },
    progress
  )
  progress.say(`Kubernetes ${settings.kubernetes} is up with ${settings.nodes} node(s) after ${progress.seconds} s`)
  if (install) {
    const installed = await progress.step('installing Countersign with helm', () => installChart(cluster))
    progress.say(
      installed
        ? `Countersign is installed after ${progress.seconds} s`
        : 'charts/countersign is not there: nothing was installed'
    )
  }
  console.log(`
  npm run cluster kubectl -- get pods -A     talk to it
  npm run cluster helm -- list -A            its charts
  npm run cluster load IMAGE.tar             give it an image
  npm run cluster status                     what there is
  npm run cluster down                       take it down

With programs of your own: nsenter --net=/run/netns/countersign-control env KUBECONFIG=${cluster.layout.kubeconfig} PROGRAM`)
}

function openOrSay(): ReturnType<typeof openCluster> | undefined {
  try {
    return openCluster()
  } catch (thrown) {
    if (!(thrown instanceof NoClusterError)) throw thrown
    console.log(`${thrown.message}: ${thrown.next}`)
    process.exitCode = EXIT.down
    return undefined
  }
}

/** Runs a program in the foreground, with this one's terminal, and ends as it ended. */
async function handOver(name: 'kubectl' | 'helm', args: readonly string[]): Promise<void> {
  const { layout } = openCluster()
  const { command, args: all, env } = Kubectl[name](layout).invocation(args)
  const child = spawn(command, all, { stdio: 'inherit', env: environment(env) })
  // A terminal sends Ctrl-C to both: the child decides when it ends.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.exitCode = await new Promise<number>((done, failed) => {
    child.once('error', failed)
    child.once('exit', (code, killer) => done(exitCode(code, killer)))
  })
}
