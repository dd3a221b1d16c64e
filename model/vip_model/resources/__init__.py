"""The types of the resources: VirtualIP, VirtualRouter, Speaker, VirtualIPPool, and Node."""
