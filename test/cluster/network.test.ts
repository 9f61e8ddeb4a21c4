import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { networkCommands } from './network.ts'
import { nodeNames } from './settings.ts'

describe('networkCommands', () => {
  it('connects one node to the control plane', () => {
    assert.deepEqual(networkCommands(nodeNames(1)), [
      {
        netns: 'countersign-control',
        commands: [
          'link set lo up',
          'link add nodes type bridge',
          'addr add 192.168.99.1/24 dev nodes',
          'addr add fd00:192:168:99::1/64 dev nodes nodad',
          'link set nodes up',
          'link add node0 type veth peer name eth0 netns countersign-node0',
          'link set node0 master nodes up',
          'route add 10.244.0.0/24 via 192.168.99.10',
          'route add fd00:10:244:0::/64 via fd00:192:168:99::10',
          'route add 10.96.0.0/16 via 192.168.99.10',
          'route add fd00:10:96::/112 via fd00:192:168:99::10'
        ]
      },
      {
        netns: 'countersign-node0',
        commands: [
          'link set lo up',
          'addr add 192.168.99.10/24 dev eth0',
          'addr add fd00:192:168:99::10/64 dev eth0 nodad',
          'link set eth0 up',
          'route add default via 192.168.99.1',
          'route add default via fd00:192:168:99::1'
        ]
      }
    ])
  })

  it('gives every node a route to the pods of every other, and none to its own', () => {
    const nodes = nodeNames(3)
    const [control, ...each] = networkCommands(nodes)
    assert.ok(control)
    const podRoutes = (commands: readonly string[]): string[] =>
      commands.filter(command => /^route add (10\.244\.|fd00:10:244:)/.test(command))
    assert.equal(podRoutes(control.commands).length, 6)
    each.forEach(({ commands }, index) => {
      const routes = podRoutes(commands)
      assert.equal(routes.length, 4)
      for (const own of [nodes[index]?.podSubnet, nodes[index]?.ipv6PodSubnet])
        assert.ok(routes.every(route => !route.includes(own ?? '')))
    })
  })
})
