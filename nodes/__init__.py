"""The node classes; `node_list` names them all."""
