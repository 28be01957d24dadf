path "identity/entity/id/+" { capabilities = ["read", "update"] }
