module github.com/tyk-cffi/tyk-cffi/driver

go 1.23
