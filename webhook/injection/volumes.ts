import type { Pod } from '../pod/index.ts'
import { CSI_DRIVER, VOLUME } from './names.ts'

/**
 * Volumes of our driver under another name than that of the proxy's volume, each as a sentence. Nothing else reads them,
 * so what their attributes say would be in force without having been checked.
 */
export function foreignVolumes({ spec }: Pod): string[] {
  return (spec?.volumes ?? []).flatMap(({ name, csi }, index) =>
    csi?.driver === CSI_DRIVER && name !== VOLUME
      ? [
          `spec.volumes[${index}].csi.driver ${JSON.stringify(CSI_DRIVER)} of volume ${JSON.stringify(name)}: expected another driver; the volume of the proxy is named ${VOLUME}, is added by Countersign, and no other is served`
        ]
      : []
  )
}
