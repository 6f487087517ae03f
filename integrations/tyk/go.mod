// Compiles our files against a stand-in for the little of Tyk that they use.
module github.com/tyk-cffi/tyk-cffi/integrations/tyk

go 1.23

require (
	github.com/TykTechnologies/tyk v0.0.0
	github.com/redis/go-redis/v9 v9.7.0
	github.com/sirupsen/logrus v1.9.3
	github.com/tyk-cffi/tyk-cffi/driver v0.0.0
	google.golang.org/protobuf v1.36.5
)

require (
	github.com/cespare/xxhash/v2 v2.2.0 // indirect
	github.com/dgryski/go-rendezvous v0.0.0-20200823014737-9f7001d12a5f // indirect
	golang.org/x/sys v0.0.0-20220715151400-c0bba94af5f8 // indirect
)

replace (
	github.com/TykTechnologies/tyk => ./standin
	github.com/tyk-cffi/tyk-cffi/driver => ../../driver
)
