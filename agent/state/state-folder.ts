import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensurePrivateFolder, isTemporary } from '../../shared/files/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { MeshFile } from './mesh-file.ts'
import { SvidFile } from './svid-file.ts'
import { SvidFolder } from './svid-folder.ts'

/** The agent's folder of state: made when it is missing, refused when others could look into it. */
export class StateFolder {
  /** The folder of volume records; the CSI node service writes it, the agent reads it. */
  readonly volumes: string
  readonly identities: SvidFolder
  readonly agent: SvidFile
  readonly mesh: MeshFile

  /**
   * @param log of the program; gets `room: 'state'`
   * @throws CountersignError ERR_STATE_FOLDER_UNSAFE when the folder, or one in it, is open to other users, belongs to
   *   another one or cannot be made
   */
  constructor(path: string, log: Logger) {
    const roomLog = log.child({ room: 'state' })
    const identities = join(path, 'identities')
    this.volumes = join(path, 'volumes')
    for (const folder of [path, identities, this.volumes]) ensurePrivateFolder(folder)
    for (const folder of [path, identities]) sweep(folder)
    this.identities = new SvidFolder(identities, roomLog)
    this.agent = new SvidFile(join(path, 'agent.json'), 'agent', roomLog)
    this.mesh = new MeshFile(join(path, 'mesh.bin'), roomLog)
  }
}

// What a crash left of a write may be a key; nothing will ever finish it.
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) if (isTemporary(name)) rmSync(join(folder, name), { force: true })
}
