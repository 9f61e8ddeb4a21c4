import type { MachineName } from '../settings.ts'

export interface ContainerdPaths {
  /** Where images and containers are kept. */
  readonly root: string
  readonly socket: string
  readonly cniPlugins: string
  readonly cniConfig: string
  readonly pauseImage: string
}

/** Format: containerd, config version 2 (1.6 and 1.7 use it, 2.x reads it). */
export function containerdConfig(paths: ContainerdPaths, { netns }: MachineName): string {
  return `# The runtime of ${netns}.
version = 2
root = "${paths.root}"
state = "/run/containerd"
# It would make /opt/containerd on the machine itself.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "${paths.socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${paths.pauseImage}"
  disable_apparmor = true
  # A machine without CAP_SYS_RESOURCE may not lower a score.
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${paths.cniPlugins}"
    conf_dir = "${paths.cniConfig}"
`
}
