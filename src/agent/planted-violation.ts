import { createEtcdStore } from '../etcd/store.ts';
export const planted = createEtcdStore;
